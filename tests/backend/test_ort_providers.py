"""Where a model runs: the instance's kind, accelerators, what is missing."""

import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

from ort_providers import choose_providers, is_gpu
from ort_session import open_instance
from ort_settings import read_settings
from ort_workers import runs_at_a_time

ALL_PROVIDERS = [
    "TensorrtExecutionProvider",
    "CUDAExecutionProvider",
    "OpenVINOExecutionProvider",
    "CPUExecutionProvider",
]


def parameters(**values):
    return {"parameters": {key: {"string_value": value} for key, value in values.items()}}


def providers(kind, available=ALL_PROVIDERS, accelerators=None, cuda=None):
    config = {"optimization": {"execution_accelerators": accelerators or {}}}
    warnings = []
    chosen = choose_providers(config, kind, 1, cuda or {}, available, warnings.append)
    return chosen, warnings


def test_kinds_choose_the_device():
    cuda = read_settings(parameters(cudnn_conv_algo_search="2", gpu_mem_limit="1024")).cuda_options
    chosen, _ = providers("GPU", cuda=cuda)
    options = {"cudnn_conv_algo_search": "DEFAULT", "gpu_mem_limit": "1024", "device_id": "1"}
    assert chosen == [("CUDAExecutionProvider", options), ("CPUExecutionProvider", {})]
    assert providers("CPU", cuda=cuda) == ([("CPUExecutionProvider", {})], [])


def test_accelerators_become_providers():
    trt = {
        "name": "tensorrt",
        "parameters": {
            "precision_mode": "FP16",
            "max_workspace_size_bytes": "1",
            "trt_engine_cache_enable": "1",
        },
    }
    cuda = {"name": "cuda", "parameters": {"cudnn_conv_use_max_workspace": "0"}}
    chosen, _ = providers("GPU", accelerators={"gpu_execution_accelerator": [trt, cuda]})
    assert [name for name, _ in chosen] == [ALL_PROVIDERS[0], ALL_PROVIDERS[1], ALL_PROVIDERS[3]]
    assert chosen[0][1] == {
        "device_id": "1",
        "trt_fp16_enable": "1",
        "trt_max_workspace_size": "1",
        "trt_engine_cache_enable": "1",
    }
    assert chosen[1][1]["cudnn_conv_use_max_workspace"] == "0"
    openvino = {"cpu_execution_accelerator": [{"name": "openvino"}]}
    assert providers("CPU", accelerators=openvino)[0][0][0] == ALL_PROVIDERS[2]


def test_the_kind_is_read_as_triton_writes_it():
    """`GPU` is what its Python backend passes, `KIND_GPU` what a configuration says."""
    assert [is_gpu(kind) for kind in ("GPU", "KIND_GPU")] == [True, True]
    assert [is_gpu(kind) for kind in ("CPU", "MODEL", "KIND_CPU")] == [False] * 3


def test_runs_at_a_time_are_counted_by_themselves_on_a_gpu():
    cores = len(os.sched_getaffinity(0))
    for given, on_gpu, on_cpu in [
        ({}, 1, cores),
        ({"concurrent_runs": "3"}, 1, 3),
        ({"concurrent_runs": "0", "concurrent_runs_on_gpu": "2"}, 2, cores),
    ]:
        settings = read_settings(parameters(**given))
        assert (runs_at_a_time(settings, "GPU"), runs_at_a_time(settings, "CPU")) == (
            on_gpu,
            on_cpu,
        )


@pytest.mark.parametrize(("kind", "words"), [("GPU", "onnxruntime-gpu"), ("CPU", "kind CPU")])
def test_a_model_that_demands_a_gpu_is_not_loaded_without(kind, words, tmp_path):
    """The onnxruntime of this environment has no CUDA."""
    settings = read_settings(parameters(require_gpu="1"))
    with pytest.raises(ValueError, match=f"require_gpu.*{words}"):
        open_instance(str(tmp_path), {}, settings, kind, 0, 1, pytest.fail)


def test_an_absent_provider_is_left_out_with_a_warning():
    chosen, warnings = providers("GPU", available=["CPUExecutionProvider"])
    assert chosen == [("CPUExecutionProvider", {})]
    assert "CUDAExecutionProvider" in warnings[0] and "onnxruntime-gpu" in warnings[0]


@pytest.mark.parametrize(
    ("device", "entry", "words"),
    [
        ("gpu", {"name": "cudnn"}, "expected one of tensorrt, cuda, got 'cudnn'"),
        ("cpu", {"name": "xnnpack"}, "expected one of openvino, got 'xnnpack'"),
        ("gpu", {"name": "tensorrt", "parameters": {"precision_mode": "FP8"}}, "got 'FP8'"),
        ("gpu", {"name": "tensorrt", "parameters": {"level": "1"}}, "got 'level'"),
    ],
)
def test_unknown_accelerators_are_refused(device, entry, words):
    with pytest.raises(ValueError, match=words):
        providers("GPU", accelerators={f"{device}_execution_accelerator": [entry]})
