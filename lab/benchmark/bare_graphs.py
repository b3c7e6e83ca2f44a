"""What a device can do: the encoder session alone, by execution provider and batch size."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnxruntime
from numpy.typing import NDArray

from asr_core.features import load_frontend
from asr_server.graphs.ragged import RAGGED, end_to_end, shape_input
from lab.benchmark.bare_session import choose_inputs
from lab.benchmark.workload import Recording, total_seconds

PROVIDERS = {
    "cuda": ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "use_tf32": "0"}),
    "tensorrt": ("TensorrtExecutionProvider", {"trt_engine_cache_enable": "1"}),
    "cpu": ("CPUExecutionProvider", {}),
}


class NoGpuError(RuntimeError):
    """The provider is not among those of the installed ONNX Runtime, or did not start."""


@dataclass(frozen=True)
class GraphResult:
    """One graph on one provider.

    Attributes:
        graph, provider: which.
        audio_per_second: for each batch size, seconds of audio per second, median of the rounds.
    """

    graph: str
    provider: str
    audio_per_second: dict[int, float]


def measure_graph(
    graph: Path,
    model_dir: Path,
    provider: str,
    recordings: Sequence[Recording],
    batches: Sequence[int],
    rounds: int,
    report: Callable[[str], None],
) -> GraphResult:
    """Run a prepared graph over all recordings, in batches of similar length.

    Args:
        graph: as `triton-asr-server install` puts it into a repository, in any precision.
        model_dir: holds `config.yaml` and `am.mvn`.
        provider: one of `PROVIDERS`.
        recordings: the workload.
        batches: sizes to try.
        rounds: passes over the recordings, after one to warm up.
        report: gets a line after each size.

    Raises:
        NoGpuError: ONNX Runtime does not have or does not start the provider.
    """
    session = open_graph(graph, provider)
    make_inputs = choose_inputs([value.name for value in session.get_inputs()])
    frontend = load_frontend(model_dir)
    features = sorted((frontend(recording) for recording in recordings), key=len)
    audio_s = total_seconds(recordings)
    speed = {}
    for size in batches:
        feeds = [
            as_taken(session, make_inputs(features[start : start + size]))
            for start in range(0, len(features), size)
        ]
        walls = []
        for _ in range(rounds + 1):
            begun = time.perf_counter()
            for feed in feeds:
                session.run(None, feed)
            walls.append(time.perf_counter() - begun)
        speed[size] = audio_s / statistics.median(walls[1:])
        report(f"{graph.parent}, {provider}, batch {size}: {speed[size]:.0f} s of audio per second")
    return GraphResult(str(graph), provider, speed)


def as_taken(
    session: onnxruntime.InferenceSession, inputs: dict[str, NDArray[Any]]
) -> dict[str, NDArray[Any]]:
    """Return the inputs that a graph takes, rows end to end where it wants them so.

    Args:
        session: of the graph.
        inputs: by name, with a row for each recording, and more than it may take.
    """
    names = {value.name for value in session.get_inputs()}
    for name in RAGGED:
        if shape_input(name) in names:
            inputs = {**inputs, **end_to_end(name, [*inputs[name]])}
    return {name: inputs[name] for name in names}


def open_graph(graph: Path, provider: str) -> onnxruntime.InferenceSession:
    """Open a prepared graph.

    Args:
        graph: the file.
        provider: one of `PROVIDERS`.

    Raises:
        NoGpuError: ONNX Runtime does not have or does not start the provider.
    """
    name, options = PROVIDERS[provider]
    available = onnxruntime.get_available_providers()
    if name not in available:
        raise NoGpuError(
            f"{name}: expected an onnxruntime that has it (onnxruntime-gpu), got {available}"
        )
    if hasattr(onnxruntime, "preload_dlls"):  # finds CUDA in the nvidia-* wheels
        onnxruntime.preload_dlls(directory="")
    session = onnxruntime.InferenceSession(str(graph), providers=[(name, options)])
    if name not in session.get_providers():
        raise NoGpuError(f"{name} did not start; is there a GPU, are its drivers loaded?")
    return session
