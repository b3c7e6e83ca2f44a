"""Switching the execution provider in `config.pbtxt`."""

from __future__ import annotations

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from asr_server.commands.configure_gpu import main, onnx_configs
from asr_server.models import KINDS, copy_repository


def parse(path):
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_tensorrt_and_back(kind, tmp_path):
    repository = copy_repository(kind, tmp_path / kind.repository)
    paths = onnx_configs(repository)
    assert {path.parent.name for path in paths} == {graph.model for graph in kind.graphs}
    before = {path: path.read_text() for path in paths}
    for precision in ("fp32", "fp16"):  # the second time replaces the first one's block
        assert main(["tensorrt", str(repository), "--precision", precision, "--cache", "/c"]) == 0
        for path in paths:
            config = parse(path)
            (accelerator,) = config.optimization.execution_accelerators.gpu_execution_accelerator
            assert accelerator.name == "tensorrt"
            assert accelerator.parameters["precision_mode"] == precision.upper()
            assert accelerator.parameters["trt_engine_cache_path"] == "/c"
            shipped = text_format.Parse(before[path], model_config_pb2.ModelConfig())
            (cuda,) = shipped.optimization.execution_accelerators.gpu_execution_accelerator
            assert (cuda.name, dict(cuda.parameters)) == ("cuda", {"use_tf32": "0"})
            for each in (config, shipped):
                each.ClearField("optimization")
            assert config == shipped
    assert main(["cuda", str(repository)]) == 0
    assert {path: path.read_text() for path in paths} == before


def test_shape_profiles(tmp_path):
    kind = KINDS["sensevoice"]
    repository = copy_repository(kind, tmp_path / "repository")
    shapes = {bound: f"speech:{n * 560},speech_shape:{n}x2,speech_lengths:{n}" for bound, n in
              (("min", 1), ("opt", 8), ("max", 32))}  # fmt: skip
    options = [part for bound, text in shapes.items() for part in (f"--{bound}-shapes", text)]
    assert main(["tensorrt", str(repository), *options]) == 0
    (path,) = onnx_configs(repository)
    (accelerator,) = parse(path).optimization.execution_accelerators.gpu_execution_accelerator
    for bound, text in shapes.items():
        assert accelerator.parameters[f"trt_profile_{bound}_shapes"] == text
    with pytest.raises(SystemExit):
        main(["tensorrt", str(repository), *options[:2]])


def test_tf32_is_off_unless_asked_for(tmp_path, capsys):
    repository = copy_repository(KINDS["sensevoice"], tmp_path / "repository")
    (path,) = onnx_configs(repository)
    shipped = path.read_text()
    for options, expected in ((["--tf32"], "1"), ([], "0")):
        assert main(["cuda", str(repository), *options]) == 0
        (cuda,) = parse(path).optimization.execution_accelerators.gpu_execution_accelerator
        assert cuda.parameters["use_tf32"] == expected
    assert path.read_text() == shipped
    assert capsys.readouterr().out == "sensevoice_encoder: cuda\n" * 2


def test_show_changes_nothing(tmp_path, capsys):
    kind = KINDS["sensevoice"]
    repository = copy_repository(kind, tmp_path / "repository")
    assert main(["show", str(repository)]) == 0
    assert capsys.readouterr().out == "sensevoice_encoder: cuda\n"


def test_a_folder_without_models_is_refused(tmp_path, capsys):
    assert main(["tensorrt", str(tmp_path)]) == 1
    assert "expected a model repository with ONNX models" in capsys.readouterr().err
