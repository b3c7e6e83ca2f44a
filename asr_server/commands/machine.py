"""What the machine has for a server, said to the user."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from asr_contract.cores import usable_cores
from asr_server.gpus import usable_gpus
from asr_server.models.names import OnnxRuntime
from asr_server.onnxruntime_package import describe_runtime, installed_packages
from asr_server.run import (
    TritonInstallation,
    TritonServerError,
    count_instances,
    find_installation,
)
from asr_server.run.releases import check_release, running_release


def fit_to_machine(
    installation: TritonInstallation,
    repositories: Sequence[Path],
    report: Callable[[str], None],
) -> dict[str, int]:
    """Say what will be computed where, and return the processes for the parts of streaming.

    Args:
        installation: the server; one with ONNX Runtime of its own does not use ours.
        repositories: that are served.
        report: takes a line.

    Raises:
        InstallError: ONNX Runtime is installed twice.
        TritonServerError: a model would be slow on a GPU in this release of Triton.
    """
    gpus = usable_gpus()
    if installation.has_onnxruntime:
        where = ", ".join(map(str, gpus)) or "the CPU (no usable NVIDIA driver)"
        report(f"serving on {where}, with Triton's own ONNX Runtime backend")
        if gpus and (release := running_release()):
            check_release(repositories, release)
    else:
        report(describe_runtime(installed_packages(), gpus))
    return count_instances(usable_cores(), len(gpus))


def operators_here() -> OnnxRuntime:
    """Return the oldest ONNX Runtime that has to read a graph for a GPU that is served here.

    Of Triton's own backend the release is not known, nor of a server that is elsewhere.
    """
    try:
        own = find_installation().has_onnxruntime
    except TritonServerError:
        own = True
    if own:
        return "1.19"
    from asr_server.graphs.for_gpu import newest_operators

    return newest_operators()
