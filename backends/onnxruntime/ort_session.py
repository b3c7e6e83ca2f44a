"""Opens a model file with ONNX Runtime."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import onnxruntime
from ort_device import compute_capability
from ort_file import check_file, model_file
from ort_providers import CPU, CUDA, GPU_PROVIDERS, Provider, choose_providers, is_gpu
from ort_settings import Settings, session_options, settings_on_gpu
from ort_shared import Sessions, open_shared
from ort_signature import Signature, read_signature
from ort_workers import threads_beside_others

# cuDNN's attention, which ONNX Runtime prefers on Hopper, is planned anew for each shape: 65 ms for
# a run of 10 ms (SenseVoice in float16, H200, ONNX Runtime 1.31). Its other kernels are not.
NO_PLAN_FOR_EACH_SHAPE = ("ORT_ENABLE_CUDNN_FLASH_ATTENTION", "0")
# Without this kernel others read where a row begins as another mask, and say nothing.
_NEEDED_KERNEL_OFF = "ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION"
_OLDER_OPERATORS = ". Where it was installed with --onnxruntime, do so again without"
# Metadata of graphs that this project prepared.
_PRECISION, _WARM_UP = "asr.precision", "asr.warm_up"


def open_instance(
    version_dir: str,
    config: Mapping[str, Any],
    settings: Settings,
    kind: str,
    device_id: int,
    runs: int,
    warn: Callable[[str], None],
) -> Sessions:
    """Open the model for one instance.

    Args:
        version_dir: <repository>/<model>/<version>.
        config: the model's configuration.
        settings: read from it.
        kind: the instance's, as Triton passes it.
        device_id: the instance's GPU.
        runs: at a time, at most.
        warn: takes a sentence for the log.

    Raises:
        ValueError: no file, a bad file, an unknown accelerator, no GPU where one is demanded, or an
            environment in which ONNX Runtime would misread a graph on a GPU.
    """

    def miss(sentence: str) -> None:
        """Say that a provider is missing: to the log, or by not loading a model that demands it."""
        if settings.require_gpu:
            raise ValueError(f"parameter 'require_gpu': expected a GPU to run on: {sentence}")
        warn(sentence)

    if settings.require_gpu and not is_gpu(kind):
        miss(f"Triton made an instance of kind {kind}, since it sees no GPU or was told to")
    available = onnxruntime.get_available_providers()
    providers = choose_providers(config, kind, device_id, settings.cuda_options, available, miss)
    if any(name in GPU_PROVIDERS for name, _ in providers):
        _check_kernels()
        path = _checked_file(version_dir, config, settings, compute_capability(device_id))
        os.environ.setdefault(*NO_PLAN_FOR_EACH_SHAPE)
        options = session_options(settings_on_gpu(settings))
        session = _open_session(path, options, providers, miss)
        on_gpu = Sessions(path, read_signature(session), session, session)
        if on_gpu.on_gpu:
            return on_gpu
        providers = [each for each in providers if each[0] not in GPU_PROVIDERS]
    path = _checked_file(version_dir, config, settings)

    def opened(options: onnxruntime.SessionOptions) -> onnxruntime.InferenceSession:
        return _open_session(path, options, providers, miss)

    on_cpu = all(name == CPU for name, _ in providers)
    if on_cpu and runs > 1 and not settings.intra_op_threads:
        beside_others = replace(settings, intra_op_threads=threads_beside_others(runs))
        if settings.spread_lone_runs:
            return open_shared(path, opened, settings, beside_others, warn)
        settings = beside_others
    session = opened(session_options(settings))
    return Sessions(path, read_signature(session), session, session)


def _check_kernels() -> None:
    """Raise `ValueError` where an attention that float16 graphs for a GPU need is turned off."""
    told = os.environ.get(_NEEDED_KERNEL_OFF, "")
    if told not in ("", "0"):
        raise ValueError(
            f"{_NEEDED_KERNEL_OFF}: expected 0 or nothing in the environment, got {told!r}: graphs "
            "in float16 would be misread on a GPU"
        )


def describe(sessions: Sessions, device: int) -> str:
    """Return what an instance runs, where and how precisely, as a line for the log.

    Args:
        sessions: of the instance.
        device: the instance's GPU.
    """
    provider = sessions.alone.get_providers()[0]
    where = f" on GPU {device}" if sessions.on_gpu else ""
    known = sessions.alone.get_modelmeta().custom_metadata_map
    precision = known.get(_PRECISION, "precision not recorded")
    return f"{provider}{where}, {precision}, {sessions.path}"


def check_warm_up(config: Mapping[str, Any], sessions: Sessions) -> None:
    """Compare what Triton is to run before the model is ready with what the graph takes.

    A run that fails there may end the server (release 24.10), in the place of an error.

    Args:
        config: the model's configuration.
        sessions: whose graph says what it takes, if this project prepared it.

    Raises:
        ValueError: an input has other dims.
    """
    known = sessions.alone.get_modelmeta().custom_metadata_map
    expected: dict[str, list[int]] = json.loads(known.get(_WARM_UP, "{}"))
    for sample in config.get("model_warmup", []):
        for name, entry in sample.get("inputs", {}).items():
            dims = [int(size) for size in entry.get("dims", [])]
            if dims != expected.get(name, dims):
                raise ValueError(
                    f"model_warmup of input '{name}': expected dims {expected[name]}, as "
                    f"{sessions.path.name} was prepared, got {dims}; `triton-asr-server install` "
                    "writes them"
                )


def graph_signature(version_dir: str, config: Mapping[str, Any], settings: Settings) -> Signature:
    """Return the graph's inputs and outputs, read as quickly as ONNX Runtime can.

    It reports the shapes it inferred before it optimises, so that nothing is optimised here.

    Raises:
        ValueError: no file, or a bad one.
    """
    quick = Settings(
        intra_op_threads=1,
        graph_level=2,
        session_entries=settings.session_entries,
        custom_op_libraries=settings.custom_op_libraries,
    )
    path = _checked_file(version_dir, config, settings)
    options = session_options(quick)
    return read_signature(_open_session(path, options, [(CPU, {})], warn=lambda _: None))


def _checked_file(
    version_dir: str, config: Mapping[str, Any], settings: Settings, capability: str | None = None
) -> Path:
    path = model_file(version_dir, config, capability)
    check_file(path, settings.allow_newer_onnx)
    return path


def _open_session(
    path: Path,
    options: onnxruntime.SessionOptions,
    providers: list[Provider],
    warn: Callable[[str], None],
) -> onnxruntime.InferenceSession:
    """Open the file; weights in separate files are found beside it.

    Raises:
        ValueError: ONNX Runtime refuses it; the message has the path and its words.
    """
    if any(name == CUDA for name, _ in providers) and hasattr(onnxruntime, "preload_dlls"):
        # finds CUDA and cuDNN in the nvidia-* wheels, which are on no library path
        onnxruntime.preload_dlls(directory="")
    try:
        session = onnxruntime.InferenceSession(str(path), options, providers=providers)
    except Exception as error:
        # the classes of ONNX Runtime's errors have no public base but Exception
        way_out = _OLDER_OPERATORS if "is not a registered function/op" in str(error) else ""
        raise ValueError(
            f"{path}: ONNX Runtime {onnxruntime.__version__} does not load it: {error}{way_out}"
        ) from None
    missing = {name for name, _ in providers} - set(session.get_providers())
    if missing:
        warn(f"{path}: {', '.join(sorted(missing))} did not start: running without it")
    return session
