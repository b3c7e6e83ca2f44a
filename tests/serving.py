"""Real servers with real models, and plain requests to them, for the tests."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import tritonclient.grpc

from asr_contract import LANGUAGE_IDS, RECOGNISERS, TEXT_NORM_IDS
from asr_server.models import KINDS, Device
from asr_server.places import ROOT
from asr_server.run import ServerFlags, TritonServer
from tests import prepared_models

EMBEDDED = {name: kind.embedded for name, kind in KINDS.items() if kind.embedded.is_dir()}
RANDOM_MODELS = ROOT / "tests" / "data" / "random_models"
TINY_ALIGNER = RANDOM_MODELS / "monotonic_aligner-tiny-seed0"
READY_TIMEOUT_S = 600  # however slow the machine is


@contextmanager
def serve_models(
    work: Path,
    sources: Mapping[str, Path],
    parameters: Mapping[str, str] | None = None,
    flags: ServerFlags | None = None,
    instances: Mapping[str, int] | None = None,
    device: Device = "cpu",
    extra_args: Sequence[str] = (),
) -> Iterator[TritonServer]:
    """Install models into copies of the repositories and serve them.

    Args:
        work: an empty folder.
        sources: exported model for each kind.
        parameters: new values of parameters and fields in `config.pbtxt`.
        instances: processes of the models that leave it to serving.
        device: what the graphs are prepared for.
        extra_args: further words for Triton's command line.
    """
    repositories = install_models(work, sources, parameters, device)
    server = TritonServer(
        repositories,
        log=work / "server.log",
        extra_args=extra_args,
        flags=flags,
        instances=instances,
    )
    with running(server):
        yield server


@contextmanager
def running(server: TritonServer) -> Iterator[TritonServer]:
    """Start a server and wait until it is ready; it is killed at the end, which takes no time."""
    try:
        server.start()
        server.wait_ready(READY_TIMEOUT_S)
        yield server
    finally:
        server.stop(grace=0.0)


def install_models(
    work: Path,
    sources: Mapping[str, Path],
    parameters: Mapping[str, str] | None = None,
    device: Device = "cpu",
) -> list[Path]:
    """Install models into copies of the repositories, as `serve_models`; returns these."""
    repositories = []
    for name, source in sources.items():
        kind = KINDS[name]
        repository = work / kind.repository
        prepared_models.put(kind, source, repository, device)
        for key, value in (parameters or {}).items():
            set_parameter(repository, key, value)
        if repository not in repositories:
            repositories.append(repository)
    return repositories


def set_parameter(repository: Path, key: str, value: str) -> None:
    """Change a parameter, or a number such as the idle time, in every config that has it."""
    for path in repository.glob("*/config.pbtxt"):
        lines = path.read_text().splitlines()
        for index, line in enumerate(lines):
            if line.startswith(f'parameters {{ key: "{key}"'):
                lines[index] = f'parameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
            else:
                lines[index] = re.sub(rf"\b{key}: \d+", f"{key}: {value}", line)
        path.write_text("\n".join(lines) + "\n")


def wav_inputs(rows: Sequence[np.ndarray], width: int | None = None) -> dict[str, np.ndarray]:
    """WAV and WAV_LENS of several rows, zero-padded to `width` or the longest."""
    width = width or max(len(row) for row in rows)
    waveforms = np.zeros((len(rows), width), np.float32)
    for target, row in zip(waveforms, rows, strict=True):
        target[: len(row)] = row
    return {"WAV": waveforms, "WAV_LENS": np.array([[len(row)] for row in rows], np.int32)}


def prompt_inputs(num_rows: int, language: str = "auto", text_norm: str = "withitn"):
    """LANGUAGE and TEXT_NORM, the same for all rows."""
    return {
        "LANGUAGE": np.full((num_rows, 1), LANGUAGE_IDS[language], np.int32),
        "TEXT_NORM": np.full((num_rows, 1), TEXT_NORM_IDS[text_norm], np.int32),
    }


def request_inputs(kind: str, rows: Sequence[np.ndarray], **options) -> dict[str, np.ndarray]:
    """All inputs of an ensemble."""
    width = options.pop("width", None)
    inputs = wav_inputs(rows, width)
    return {**inputs, **prompt_inputs(len(rows), **options)} if kind == "sensevoice" else inputs


class RawClient:
    """Plain tritonclient requests: arrays in, arrays out."""

    def __init__(self, server: TritonServer) -> None:
        self.grpc = tritonclient.grpc.InferenceServerClient(server.grpc_url)

    def infer(
        self,
        model: str,
        inputs: Mapping[str, np.ndarray],
        timeout: float = 60.0,
        parameters: Mapping[str, object] | None = None,
    ):
        """Send arrays as they are; returns all outputs by name."""
        tensors = []
        for name, array in inputs.items():
            datatype = tritonclient.utils.np_to_triton_dtype(array.dtype)
            tensor = tritonclient.grpc.InferInput(name, list(array.shape), datatype)
            tensor.set_data_from_numpy(array)
            tensors.append(tensor)
        result = self.grpc.infer(
            model, tensors, client_timeout=timeout, parameters=dict(parameters or {})
        )
        names = [output.name for output in result.get_response().outputs]
        return {name: result.as_numpy(name) for name in names}

    def recognise(self, kind: str, rows: Sequence[np.ndarray], **options) -> list[Recognised]:
        """Recognise rows with one of the two ensembles."""
        parameters = options.pop("parameters", None)
        inputs = request_inputs(kind, rows, **options)
        outputs = self.infer(RECOGNISERS[kind], inputs, parameters=parameters)
        return [Recognised(outputs, index) for index in range(len(rows))]


class Recognised:
    """One row of an answer."""

    def __init__(self, outputs: Mapping[str, np.ndarray], row: int) -> None:
        self.transcript: str = outputs["TRANSCRIPTS"][row].decode()
        tokens = [token.decode() for token in outputs["TOKENS"][row]]
        count = len([token for token in tokens if token])
        self.tokens = tokens[:count]
        self.timestamps = outputs["TIMESTAMPS"][row, :count].tolist()
        self.confidence = outputs["CONFIDENCE"][row, :count].tolist()
        self.text: str = outputs["TEXT"][row, 0].decode() if "TEXT" in outputs else self.transcript

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Recognised) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __repr__(self) -> str:
        return f"Recognised({self.transcript!r}, {self.timestamps})"

    @property
    def key(self) -> tuple[str, tuple[str, ...], tuple[tuple[int, int], ...]]:
        """What must not depend on the batch."""
        return self.transcript, tuple(self.tokens), tuple(map(tuple, self.timestamps))
