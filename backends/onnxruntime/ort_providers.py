"""Where the graph runs: the execution providers for a model instance.

An instance on a GPU gets CUDA, before it TensorRT if `execution_accelerators` asks for it, and
the CPU for what they cannot run; any other instance gets the CPU. A provider that the installed
ONNX Runtime does not have is left out with a warning, so that a machine with a GPU and only the
`onnxruntime` package still serves.

CUDA's options belong among the model's parameters: the C++ backend of 24.10 overwrites
cudnn_conv_algo_search, gpu_mem_limit, arena_extend_strategy and do_copy_in_default_stream of a
`cuda` accelerator with the defaults of the parameters of these names.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

CPU, CUDA = "CPUExecutionProvider", "CUDAExecutionProvider"
TENSORRT, OPENVINO = "TensorrtExecutionProvider", "OpenVINOExecutionProvider"
GPU_PROVIDERS = frozenset({CUDA, TENSORRT})

Provider = tuple[str, dict[str, str]]

# The keys of a `tensorrt` accelerator that have another name in ONNX Runtime; the others begin
# with trt_ in both. `precision_mode` is a choice.
_TENSORRT_NAMES = {
    "max_workspace_size_bytes": "trt_max_workspace_size",
    "int8_calibration_table_name": "trt_int8_calibration_table_name",
    "int8_use_native_calibration_table": "trt_int8_use_native_calibration_table",
}
_PRECISIONS = {
    "FP32": None,
    "FP16": "trt_fp16_enable",
    "BF16": "trt_bf16_enable",
    "INT8": "trt_int8_enable",
}


def choose_providers(
    config: Mapping[str, Any],
    kind: str,
    device_id: int,
    cuda_options: Mapping[str, str],
    available: Sequence[str],
    warn: Callable[[str], None],
) -> list[Provider]:
    """Return the providers for one instance, the preferred first, the CPU last.

    Args:
        config: the model's configuration; `optimization.execution_accelerators` is read.
        kind: the instance's, as Triton passes it: `GPU`, `CPU` or `MODEL`, never `KIND_AUTO`.
        device_id: the instance's GPU.
        cuda_options: those among the model's parameters; they win over the accelerator's.
        available: `onnxruntime.get_available_providers()`.
        warn: takes a sentence for the log.

    Raises:
        ValueError: an accelerator, or a parameter of one, that the C++ backend does not know.
    """
    accelerators = (config.get("optimization") or {}).get("execution_accelerators") or {}
    wanted: list[Provider] = []
    if is_gpu(kind):
        cuda: dict[str, str] = {}
        for entry in accelerators.get("gpu_execution_accelerator", []):
            parameters = {key: str(value) for key, value in (entry.get("parameters") or {}).items()}
            if entry["name"] == "tensorrt":
                options = {"device_id": str(device_id), **_tensorrt_options(parameters)}
                wanted.append((TENSORRT, options))
            elif entry["name"] == "cuda":
                cuda.update(parameters)
            else:
                raise _unknown("gpu", entry["name"], "tensorrt, cuda")
        wanted.append((CUDA, {**cuda, **cuda_options, "device_id": str(device_id)}))
    for entry in accelerators.get("cpu_execution_accelerator", []):
        if entry["name"] != "openvino":
            raise _unknown("cpu", entry["name"], "openvino")
        wanted.append((OPENVINO, {"device_type": "CPU"}))
    providers = []
    for name, options in wanted:
        if name in available:
            providers.append((name, options))
        else:
            warn(
                f"{name} is configured but this onnxruntime has only {', '.join(available)}: "
                "running without it"
                + (" (install onnxruntime-gpu for the GPU)" if name == CUDA else "")
            )
    return [*providers, (CPU, {})]


def is_gpu(kind: str) -> bool:
    """Tell whether an instance of this kind is one on a GPU.

    Triton's Python backend passes `GPU`, although the configuration says `KIND_GPU`.
    """
    return kind.removeprefix("KIND_") == "GPU"


def _unknown(kind: str, name: str, known: str) -> ValueError:
    """Return the error for an accelerator that nobody knows."""
    return ValueError(f"{kind}_execution_accelerator: expected one of {known}, got '{name}'")


def _tensorrt_options(parameters: Mapping[str, str]) -> dict[str, str]:
    """Return ONNX Runtime's options for the parameters of a `tensorrt` accelerator.

    Raises:
        ValueError: a key or a precision that is not known.
    """
    options = {}
    for key, value in parameters.items():
        if key == "precision_mode":
            if value not in _PRECISIONS:
                raise ValueError(
                    f"tensorrt precision_mode: expected one of {', '.join(_PRECISIONS)}, "
                    f"got '{value}'"
                )
            name = _PRECISIONS[value]
            if name is not None:
                options[name] = "1"
        elif key in _TENSORRT_NAMES or key.startswith("trt_"):
            options[_TENSORRT_NAMES.get(key, key)] = value
        else:
            raise ValueError(
                f"tensorrt accelerator: expected parameters {', '.join(_TENSORRT_NAMES)}, "
                f"precision_mode or trt_*, got '{key}'"
            )
    return options
