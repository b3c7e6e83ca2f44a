"""Installing a model in a precision that is made from its float32 graph."""

from __future__ import annotations

import json
import shutil

import onnxruntime
import pytest
from packaging.version import Version

from asr_core.streaming import load_streaming_model
from asr_server.commands.install import main
from asr_server.errors import InstallError
from asr_server.graphs import read_metadata
from asr_server.install import choose
from asr_server.install.precision import Choice, error_rate
from asr_server.models import KINDS, MANIFEST, copy_repository
from tests import prepared_models
from tests.serving import RANDOM_MODELS

SOURCE = RANDOM_MODELS / "paraformer-tiny-seed0"


@pytest.mark.parametrize(
    ("kind", "precision", "recipe", "expected", "of_files"),
    [
        ("paraformer", "fp32", None, Choice("fp32"), "fp32"),
        ("paraformer", "int8", None, Choice("int8", "signed"), "fp32"),
        ("paraformer", "int8", "per_frame", Choice("int8", "per_frame"), "fp32"),
        ("paraformer", "int8", "published", Choice("int8"), "int8"),
        ("sensevoice", "fp16", None, Choice("fp16"), "fp32"),
        ("paraformer-online", "fp16", None, Choice("fp16"), "fp32"),
        ("vad", "int8", None, Choice("int8"), "int8"),
    ],
)
def test_what_is_installed(kind, precision, recipe, expected, of_files):
    choice = choose(KINDS[kind], precision, recipe, "owner/name")
    assert choice == expected
    assert choice.of_files == of_files
    assert choice.is_converted is (precision != "fp32" and of_files == "fp32")


def test_a_directory_with_int8_only_is_installed_as_it_is(tmp_path):
    shutil.copy(SOURCE / "model_quant.onnx", tmp_path)
    assert choose(KINDS["paraformer"], "int8", None, str(tmp_path)) == Choice("int8")
    (tmp_path / "model.pt").touch()  # then float32 can be had
    assert choose(KINDS["paraformer"], "int8", None, str(tmp_path)) == Choice("int8", "signed")


@pytest.mark.parametrize(
    ("kind", "precision", "recipe", "message"),
    [
        ("paraformer", "fp16", "signed", "expected with --precision int8, got fp16"),
        ("vad", "fp16", None, "vad: is served in fp32 and in published int8"),
        ("punctuation", "int8", "signed", "expected one of sensevoice, paraformer"),
    ],
)
def test_what_does_not_go_together(kind, precision, recipe, message):
    with pytest.raises(InstallError, match=message):
        choose(KINDS[kind], precision, recipe, None)


def test_error_rate():
    assert error_rate(["今天 天气", "好"], ["今天天", "好"]) == pytest.approx(1 / 5)
    assert error_rate([""], [""]) == 0


@pytest.mark.parametrize("precision", ["int8", "fp16"])
@pytest.mark.parametrize("name", ["paraformer", "sensevoice"])
def test_an_embedded_model_in_another_precision(tmp_path, name, precision):
    kind = KINDS[name]
    printed = prepared_models.put_embedded(name, precision, tmp_path)
    assert "texts against fp32: " in printed
    folder = tmp_path / "repository" / kind.encoder / "1"
    served = folder / ("model.onnx" if precision == "int8" else "model_gpu.onnx")
    assert read_metadata(served)["precision"] == precision
    config = (folder.parent / "config.pbtxt").read_text()
    if precision == "fp16":  # the CPU's graph lies beside the GPU's, and is proved as well
        beside = read_metadata(folder / "model.onnx")
        assert (beside["precision"], beside["device"]) == ("fp32", "cpu")
        assert printed.count("proved by speech") == 2
    assert ('{ key: "9.0" value: "model_gpu.onnx" }' in config) == (precision == "fp16")
    assert (folder / "model_gpu.onnx").is_file() == (precision == "fp16")
    manifest = json.loads((folder / MANIFEST).read_text())
    assert manifest["name"] == f"embedded-{precision}"
    assert manifest["precision"] == precision
    assert manifest["recipe"] == ("signed" if precision == "int8" else None)
    report = manifest["precision_report"]
    tokens, equal = report["agreement"]["tokens"], report["agreement"]["equal_tokens"]
    # One token more, as the samples hold some 80: the shares are tested on larger sets.
    assert equal + 1 >= 0.99 * tokens > 50
    assert report["error_rate"] <= 0.03
    assert report["conversion"]["logits"]["largest"] < 10
    if precision == "int8":
        assert report["conversion"]["batch_changed_ids"] == 0
    else:
        assert report["conversion"]["float16"]["largest"] < 65504 / 4


def test_both_graphs_of_a_stream_in_float16(tmp_path, capsys):
    kind = KINDS["paraformer-online"]
    repository = copy_repository(kind, tmp_path / "repository")
    places = ["--store", str(tmp_path / "store"), "--repository", str(repository)]
    assert main([kind.name, "--precision", "fp16", *places]) == 0
    assert capsys.readouterr().out.count("7 of 7 texts equal") >= 1
    for graph in kind.graphs:
        folder = repository / graph.model
        on_gpu, on_cpu = (
            read_metadata(folder / "1" / name) for name in ("model_gpu.onnx", "model.onnx")
        )
        assert (on_gpu["precision"], on_gpu["device"]) == ("fp16", "gpu")
        assert (on_cpu["precision"], on_cpu["device"]) == ("fp32", "cpu")
        assert '{ key: "9.0" value: "model_gpu.onnx" }' in (folder / "config.pbtxt").read_text()
        size = (folder / "1" / "model_gpu.onnx").stat().st_size
        assert size < 0.6 * (folder / "1" / "model.onnx").stat().st_size
    report = json.loads((repository / kind.encoder / "1" / MANIFEST).read_text())
    conversion = report["precision_report"]["conversion"]
    assert conversion["logits"]["mean"] < 0.01 * conversion["logits"]["spread"]
    assert conversion["batch_tokens"] > 50
    assert conversion["batch_changed_ids"] <= 1
    assert conversion["float16"]["too_large_nodes"] == 0
    decoder, search = repository / "streaming_decoder", repository / "streaming_cif_search"
    assert types_of_cache(decoder / "1" / "model_gpu.onnx") == ["tensor(float16)"] * 2
    assert types_of_cache(decoder / "1" / "model.onnx") == ["tensor(float16)"] * 2
    assert load_streaming_model(search / "1").cache_dtype == "float16"
    # Of the warm-up, what is carried and what is added to it.
    assert (decoder / "config.pbtxt").read_text().count("TYPE_FP16") == 3
    assert main([kind.name, *places]) == 0
    assert types_of_cache(decoder / "1" / "model.onnx") == ["tensor(float)"] * 2
    assert load_streaming_model(search / "1").cache_dtype == "float32"
    assert "TYPE_FP16" not in (decoder / "config.pbtxt").read_text()


def types_of_cache(decoder):
    """Types in which a graph takes and gives columns of the cache."""
    session = onnxruntime.InferenceSession(str(decoder), providers=["CPUExecutionProvider"])
    tensors = (*session.get_inputs(), *session.get_outputs())
    return [each.type for each in tensors if each.name in ("cached_columns", "new_columns")]


def test_a_graph_for_gpus_goes_with_its_configuration(tmp_path, capsys):
    """Installed, switched away and back: file and configuration change together."""
    kind = KINDS["vad"]
    repository = copy_repository(kind, tmp_path / "repository")
    places = ["--store", str(tmp_path / "store"), "--repository", str(repository)]
    assert main(["vad", *places]) == 0
    folder = repository / kind.encoder
    plain = (folder / "config.pbtxt").read_text()
    newer = ["--onnxruntime", "1.25"]
    assert main(["vad", *newer, *places]) == 1
    assert "--onnxruntime 1.25: expected --device gpu" in capsys.readouterr().err
    assert main(["vad", "--device", "gpu", *newer, *places]) == 0
    both = (folder / "config.pbtxt").read_text()
    of_gpu, of_cpu = (
        read_metadata(folder / "1" / name) for name in ("model_gpu.onnx", "model.onnx")
    )
    assert (of_gpu["device"], of_cpu["device"]) == ("gpu", "cpu")
    assert (of_gpu["onnxruntime"], of_cpu["onnxruntime"]) == ("1.25", "1.19")
    assert "cc_model_filenames" in both and "cc_model_filenames" not in plain
    manifest = json.loads((folder / "1" / MANIFEST).read_text())
    assert manifest["preparation"]["device"] == "cpu"
    assert manifest["preparation_for_gpu"]["device"] == "gpu"
    assert manifest["beside_it_for_the_cpu"]["precision"] == "fp32"
    assert f"{kind.encoder}/1/model_gpu.onnx" in manifest["installed_sha256"]
    for name, text in (("embedded", plain), ("embedded-gpu", both)):
        assert main(["use", "vad", name, *places]) == 0
        assert (folder / "config.pbtxt").read_text() == text
        assert (folder / "1" / "model_gpu.onnx").is_file() == (text == both)
        assert (folder / "warmup" / "speech_lengths").is_file()
    assert main(["vad", "--device", "gpu", *places]) == 0  # for the one that serves here
    newest = "1.25" if Version(onnxruntime.__version__) >= Version("1.25.1") else "1.19"
    assert f"for a GPU, with ONNX Runtime {newest} or newer" in capsys.readouterr().out
    assert read_metadata(folder / "1" / "model_gpu.onnx")["onnxruntime"] == newest
    assert main(["vad", "--device", "gpu", "--precision", "int8", *places]) == 1
    assert "expected --precision fp32 or fp16, got int8" in capsys.readouterr().err
