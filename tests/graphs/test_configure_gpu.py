"""Switching the execution provider in `config.pbtxt`."""

from __future__ import annotations

import json

import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from asr_server.commands.configure_gpu import main, onnx_configs
from asr_server.models import KINDS, MANIFEST, copy_repository
from asr_server.run import TritonServerError
from asr_server.run.releases import Release, check_release, running_release


def parse(path):
    return text_format.Parse(path.read_text(), model_config_pb2.ModelConfig())


RAGGED = ("sensevoice", "paraformer")


@pytest.mark.parametrize("name", RAGGED)
def test_tensorrt_is_refused_where_rows_come_end_to_end(name, tmp_path, capsys):
    kind, other = KINDS[name], KINDS["vad"]
    repositories = [copy_repository(one, tmp_path / one.name) for one in (other, kind)]
    before = {path: path.read_text() for path in tmp_path.rglob("config.pbtxt")}
    assert main(["tensorrt", *map(str, repositories)]) == 1
    refusal = capsys.readouterr().err
    assert f"expected models without allow_ragged_batch, got {kind.encoder}" in refusal
    assert "install" in refusal
    assert {path: path.read_text() for path in before} == before


@pytest.mark.parametrize(
    "kind",
    [kind for kind in KINDS.values() if kind.name not in RAGGED],
    ids=lambda kind: kind.name,
)
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
    kind = KINDS["vad"]
    repository = copy_repository(kind, tmp_path / "repository")
    shapes = {bound: f"speech:{n}x60x400,speech_lengths:{n}x1,cache:{n}x4x128x19" for bound, n in
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


def parameters(path) -> dict[str, str]:
    return {name: value.string_value for name, value in parse(path).parameters.items()}


def test_settings_that_differ_by_the_age_of_onnxruntime(tmp_path):
    """DEFAULT for 24.10, HEURISTIC since; the image of the other is refused."""
    repository = copy_repository(KINDS["sensevoice"], tmp_path / "repository")
    (path,) = onnx_configs(repository)
    new, old = Release(26, 9), Release(24, 10)
    assert parameters(path)["cudnn_conv_algo_search"] == "1"
    check_release([repository], new)
    with pytest.raises(TritonServerError, match=r"got 1, .*cuda --release 24\.10 .*repository$"):
        check_release([repository], old)
    assert main(["cuda", str(repository), "--release", "24.10"]) == 0
    assert parameters(path)["cudnn_conv_algo_search"] == "2"
    check_release([repository], old)
    with pytest.raises(TritonServerError, match=r"for Triton 26\.09, got 2"):
        check_release([repository], new)


def test_a_graph_with_newer_operators_is_refused_for_a_release_from_before_them(tmp_path):
    repository = copy_repository(KINDS["sensevoice"], tmp_path / "repository")
    (path,) = onnx_configs(repository)
    manifest = path.parent / "1" / MANIFEST
    for oldest, release, is_refused in [
        ("1.19", Release(25, 12), False),
        ("1.25", Release(25, 12), True),
        ("1.25", Release(26, 9), False),
    ]:
        manifest.write_text(json.dumps({"preparation_for_gpu": {"onnxruntime": oldest}}))
        if is_refused:
            with pytest.raises(TritonServerError, match=r"25\.12.*--onnxruntime 1\.19"):
                check_release([repository], release)
        else:
            check_release([repository], release)


@pytest.mark.parametrize("release", ["24.09", "24.11", "23.10", "24", "newest", "25.1"])
def test_other_releases_are_refused(release, capsys):
    with pytest.raises(SystemExit):
        main(["cuda", ".", "--release", release])
    assert f"expected 24.10, or 25.01 or newer, got {release}" in capsys.readouterr().err


def test_memory_is_bounded_where_triton_reads_it(tmp_path):
    """Among the parameters: those of the accelerator are overwritten with defaults."""
    repository = copy_repository(KINDS["sensevoice"], tmp_path / "repository")
    (path,) = onnx_configs(repository)
    before = path.read_text()
    assert main(["cuda", str(repository), "--memory-mib", "6000"]) == 0
    assert parameters(path)["gpu_mem_limit"] == str(6000 * 2**20)
    assert parameters(path)["arena_extend_strategy"] == "1"
    assert main(["cuda", str(repository)]) == 0
    assert path.read_text() == before


def test_the_release_of_a_container(monkeypatch):
    for text, expected in (("24.10", Release(24, 10)), ("26.09", Release(26, 9)), ("22.01", None)):
        monkeypatch.setenv("NVIDIA_TRITON_SERVER_VERSION", text)
        assert running_release() == expected
    monkeypatch.delenv("NVIDIA_TRITON_SERVER_VERSION")
    assert running_release() is None


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_each_gpu_gets_an_instance(kind, tmp_path):
    """No list of GPUs: Triton makes the count of each group on every one, or on the CPU."""
    for path in onnx_configs(copy_repository(kind, tmp_path / "repository")):
        (group,) = parse(path).instance_group
        assert (group.count, group.kind, list(group.gpus)) == (1, group.KIND_AUTO, [])
