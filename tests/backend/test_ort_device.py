"""One configuration with a file for the CPU and one for GPUs: which is opened where."""

import os
import sys
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace

import onnx
import pytest
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

import ort_device
import ort_session
from ort_device import compute_capability
from ort_file import model_file
from ort_session import describe, open_instance
from ort_settings import Settings, settings_on_gpu
from ort_shared import Sessions
from ort_signature import Signature

CONFIG = {
    "default_model_filename": "model.onnx",
    "cc_model_filenames": {"7.5": "model_gpu.onnx", "9.0": "model_gpu.onnx", "12.0": "other"},
}


class Driver:
    """libcuda with two cards: what cuda.h says of the three functions, by the number alone."""

    def __init__(self, name):
        self.cards = [(7, 5), (12, 0)]

    def cuInit(self, flags):
        return 0 if flags == 0 else 1

    def cuDeviceGet(self, device, ordinal):
        device._obj.value = ordinal
        return 0 if 0 <= ordinal < len(self.cards) else 101

    def cuDeviceGetAttribute(self, value, attribute, device):
        value._obj.value = dict(zip((75, 76), self.cards[device.value], strict=True))[attribute]
        return 0


def write_model(path, precision):
    node = helper.make_node("Neg", ["x"], ["y"])
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", 4]) for name in "xy")
    graph = helper.make_graph([node], "graph", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    model.metadata_props.add(key="asr.precision", value=precision)
    path.parent.mkdir(exist_ok=True)
    onnx.save(model, str(path))


@pytest.fixture
def folder(tmp_path):
    write_model(tmp_path / "model.onnx", "fp32")
    write_model(tmp_path / "model_gpu.onnx", "fp16")
    write_model(tmp_path / "other" / "model.onnx", "fp16")
    return tmp_path


def test_without_a_driver_nothing_is_known_of_a_gpu():
    assert compute_capability(0, "no-such-driver.so") is None


def test_each_gpu_is_asked_for_itself(monkeypatch):
    monkeypatch.setattr(ort_device.ctypes, "CDLL", Driver)
    assert [compute_capability(number) for number in (0, 1, 2)] == ["7.5", "12.0", None]


@pytest.mark.parametrize(
    ("capability", "name"),
    [
        (None, "model.onnx"),
        ("9.0", "model_gpu.onnx"),
        ("12.0", "other/model.onnx"),
        ("6.0", "model.onnx"),  # not in the list: what is for all others
    ],
)
def test_the_file_of_a_capability(folder, capability, name):
    assert model_file(folder, CONFIG, capability) == folder / name


def test_a_missing_file_of_a_gpu_is_named(folder):
    (folder / "model_gpu.onnx").unlink()
    with pytest.raises(ValueError, match=r"expected the model file .*model_gpu\.onnx, got"):
        model_file(folder, CONFIG, "9.0")


def test_a_cpu_instance_opens_the_cpu_file(folder):
    sessions = open_instance(str(folder), CONFIG, Settings(), "CPU", 0, 1, pytest.fail)
    assert describe(sessions, 0) == f"CPUExecutionProvider, fp32, {folder / 'model.onnx'}"


def test_a_gpu_instance_asks_for_the_file_of_its_gpu_and_without_cuda_opens_the_cpu_one(
    folder, monkeypatch
):
    """This environment's ONNX Runtime has no CUDA, whatever it is told."""
    opened, warnings = [], []
    real = ort_session._open_session

    def recorded(path, options, providers, warn):
        opened.append((path.name, [name for name, _ in providers], options.enable_mem_pattern))
        return real(path, options, providers, warn)

    variable, value = ort_session.NO_PLAN_FOR_EACH_SHAPE
    monkeypatch.setenv(variable, "")  # put back at the end, whatever is set meanwhile
    monkeypatch.delenv(variable)
    monkeypatch.setattr(ort_session, "_open_session", recorded)
    monkeypatch.setattr(ort_device.ctypes, "CDLL", Driver)
    cuda = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort_session.onnxruntime, "get_available_providers", lambda: cuda)
    monkeypatch.setattr(ort_session.onnxruntime, "preload_dlls", lambda directory: None)
    sessions = open_instance(str(folder), CONFIG, Settings(), "GPU", 0, 1, warnings.append)
    assert opened == [
        ("model_gpu.onnx", cuda, False),
        ("model.onnx", ["CPUExecutionProvider"], True),
    ]
    assert os.environ[variable] == value
    assert "CUDAExecutionProvider did not start" in warnings[0]
    assert describe(sessions, 0).startswith("CPUExecutionProvider, fp32")


@pytest.mark.parametrize(("told", "loads"), [("0", True), ("1", False)])
def test_a_gpu_needs_the_attention_that_float16_graphs_are_made_for(
    folder, monkeypatch, told, loads
):
    """Other kernels would read another mask, without an error."""
    monkeypatch.setenv("ORT_DISABLE_MEMORY_EFFICIENT_ATTENTION", told)
    monkeypatch.setattr(ort_device.ctypes, "CDLL", Driver)
    available = ["CUDAExecutionProvider", "CPUExecutionProvider"]
    monkeypatch.setattr(ort_session.onnxruntime, "get_available_providers", lambda: available)
    monkeypatch.setattr(ort_session.onnxruntime, "preload_dlls", lambda directory: None)
    expected = (
        nullcontext()
        if loads
        else pytest.raises(ValueError, match=r"ORT_DISABLE_MEMORY\w+: expected 0 .*, got '1'")
    )
    with expected:
        open_instance(str(folder), CONFIG, Settings(), "GPU", 0, 1, [].append)
    open_instance(str(folder), CONFIG, Settings(), "CPU", 0, 1, pytest.fail)


def test_who_wants_memory_planned_for_each_shape_on_a_gpu_says_so():
    assert not settings_on_gpu(Settings()).mem_pattern
    assert settings_on_gpu(Settings(mem_pattern=True)).mem_pattern


class OnGpu:
    """What ONNX Runtime says of a session on CUDA."""

    def get_providers(self):
        return ["CUDAExecutionProvider", "CPUExecutionProvider"]

    def get_modelmeta(self):
        return SimpleNamespace(custom_metadata_map={"asr.precision": "fp16"})


@pytest.mark.parametrize("device", [0, 1])
def test_the_log_says_which_gpu_an_instance_has(folder, device):
    sessions = Sessions(folder / "model_gpu.onnx", Signature({}, {}, {}), OnGpu(), OnGpu())
    expected = f"CUDAExecutionProvider on GPU {device}, fp16, {folder / 'model_gpu.onnx'}"
    assert describe(sessions, device) == expected
