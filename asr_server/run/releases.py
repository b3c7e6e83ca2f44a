"""Releases of Triton, and what differs between the ONNX Runtimes in them.

ONNX Runtime 1.20 began to use cuDNN's front end. Before, each new length made it search anew for a
convolution's algorithm unless told DEFAULT; since then DEFAULT finds none for the convolutions over
time and falls back to one that is a hundred times slower, and HEURISTIC is what is quick.
"""

from __future__ import annotations

import argparse
import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from asr_contract.text_files import read_json
from asr_server.models import MANIFEST
from asr_server.run.installation import TritonServerError


class Release(NamedTuple):
    """A release of Triton, named by year and month."""

    year: int
    month: int

    def __str__(self) -> str:
        """Return it as in the name of an image."""
        return f"{self.year:02}.{self.month:02}"


CURRENT = Release(26, 9)  # as in the Dockerfile
WITH_ONNXRUNTIME_1_19 = Release(24, 10)
SINCE_ONNXRUNTIME_1_20 = Release(25, 1)
# The first that can have ONNX Runtime 1.25.1, which was built at the end of April 2026; which
# release has it first was not looked up.
_EARLIEST_WITH_1_25 = Release(26, 5)
_HEURISTIC, _DEFAULT = "1", "2"
_CONTAINER_VARIABLE = "NVIDIA_TRITON_SERVER_VERSION"  # set in NVIDIA's images
_SEARCH = re.compile(r'key: "cudnn_conv_algo_search" value: \{ string_value: "(\d)" \}')


def parse_release(text: str) -> Release:
    """Read a release that the models are made for.

    Raises:
        argparse.ArgumentTypeError: it is none, or none of these.
    """
    match = re.fullmatch(r"(\d\d)\.(\d\d)", text)
    release = Release(int(match[1]), int(match[2])) if match else None
    if release != WITH_ONNXRUNTIME_1_19 and (release is None or release < SINCE_ONNXRUNTIME_1_20):
        raise argparse.ArgumentTypeError(
            f"expected {WITH_ONNXRUNTIME_1_19}, or {SINCE_ONNXRUNTIME_1_20} or newer, got {text}"
        )
    return release or CURRENT


def running_release() -> Release | None:
    """Return the release whose container this is, None outside of one or in one not known here."""
    try:
        return parse_release(os.environ.get(_CONTAINER_VARIABLE, ""))
    except argparse.ArgumentTypeError:
        return None


def convolution_search(release: Release) -> str:
    """Return the value of `cudnn_conv_algo_search` that is quick in a release."""
    return _DEFAULT if release < SINCE_ONNXRUNTIME_1_20 else _HEURISTIC


def check_release(repositories: Sequence[Path], release: Release) -> None:
    """Refuse models that are configured for another ONNX Runtime than a release has.

    Raises:
        TritonServerError: there is one; the message has the command that mends it.
    """
    expected = convolution_search(release)
    for path in (path for each in repositories for path in sorted(each.glob("*/config.pbtxt"))):
        found = _SEARCH.search(path.read_text(encoding="utf-8"))
        if found is not None and found[1] != expected:
            raise TritonServerError(
                f"{path}: expected cudnn_conv_algo_search {expected} for Triton {release}, got "
                f"{found[1]}, with which a run on a GPU takes a hundred times as long: "
                f"triton-asr-server configure-gpu cuda --release {release} {path.parents[1]}"
            )
    for path in (path for each in repositories for path in sorted(each.glob(f"*/*/{MANIFEST}"))):
        prepared = read_json(path).get("preparation_for_gpu") or {}
        if prepared.get("onnxruntime") == "1.25" and release < _EARLIEST_WITH_1_25:
            raise TritonServerError(
                f"{path.parent}: expected a graph for GPUs that Triton {release} can read, got one "
                "for ONNX Runtime 1.25 or newer: install the model again with --onnxruntime 1.19"
            )
