"""Model directories of several years, as FunASR and the hubs laid them out."""

from __future__ import annotations

import json
import shutil

import pytest
import yaml

from asr_server.errors import InstallError
from asr_server.install.layout import collect, download_patterns, has_graphs
from tests.serving import RANDOM_MODELS

SOURCE = RANDOM_MODELS / "paraformer-tiny-seed0"
TABLES = ("am.mvn", "config.yaml", "tokens.json")


@pytest.fixture
def model(tmp_path):
    directory = tmp_path / "model"
    shutil.copytree(SOURCE, directory)
    return directory


@pytest.fixture
def target(tmp_path):
    directory = tmp_path / "files"
    directory.mkdir()
    return directory


def pieces():
    return json.loads((SOURCE / "tokens.json").read_text(encoding="utf-8"))


def collect_paraformer(model, target, precision="fp32"):
    return collect([model], target, ["model"], TABLES, precision)


def test_the_present_layout_is_taken_as_it_is(model, target):
    files = collect_paraformer(model, target)
    assert set(files.originals) == {"model.onnx", *TABLES}
    for name, original in files.originals.items():
        assert original == model / name
        assert (target / name).read_bytes() == (SOURCE / name).read_bytes()


def test_links_of_a_hub_s_cache_are_followed(model, target, tmp_path):
    snapshot, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    snapshot.mkdir()
    model.rename(blobs)
    for index, path in enumerate(sorted(blobs.iterdir())):
        blob = path.rename(blobs / f"{index:040x}")
        (snapshot / path.name).symlink_to(f"../blobs/{blob.name}")
    collect_paraformer(snapshot, target)
    for name in TABLES:
        assert (target / name).read_bytes() == (SOURCE / name).read_bytes()


def test_tokens_txt_becomes_tokens_json(model, target):
    (model / "tokens.json").unlink()
    (model / "tokens.txt").write_text("\n".join(pieces()) + "\n", encoding="utf-8")
    files = collect_paraformer(model, target)
    assert json.loads((target / "tokens.json").read_text(encoding="utf-8")) == pieces()
    assert files.originals["tokens.json"] == model / "tokens.txt"


def test_a_token_list_inside_an_older_configuration_becomes_tokens_json(model, target):
    (model / "tokens.json").unlink()
    config = yaml.safe_load((model / "config.yaml").read_text(encoding="utf-8"))
    text = yaml.safe_dump({"token_list": pieces(), **config}, allow_unicode=True)
    (model / "config.yaml").write_text(text, encoding="utf-8")
    files = collect_paraformer(model, target)
    assert json.loads((target / "tokens.json").read_text(encoding="utf-8")) == pieces()
    assert files.originals["tokens.json"] == model / "config.yaml"


def test_older_names_of_configuration_and_cmvn(model, target):
    (model / "config.yaml").rename(model / "vad.yaml")
    (model / "am.mvn").rename(model / "vad.mvn")
    files = collect([model], target, ["model"], ("am.mvn", "config.yaml"), "fp32")
    assert files.originals["config.yaml"].name == "vad.yaml"
    assert (target / "am.mvn").read_bytes() == (SOURCE / "am.mvn").read_bytes()


def test_an_export_elsewhere_is_preferred_to_the_directory_s_graph(model, target, tmp_path):
    exported = tmp_path / "exported"
    exported.mkdir()
    (exported / "model.onnx").write_bytes(b"new")
    files = collect([exported, model], target, ["model"], TABLES, "fp32")
    assert (target / "model.onnx").read_bytes() == b"new"
    assert files.originals["am.mvn"] == model / "am.mvn"


def test_what_is_missing_is_named(model, target):
    for name in ("am.mvn", "config.yaml"):
        (model / name).unlink()
    with pytest.raises(InstallError, match=r"model: expected am\.mvn, config\.yaml, not found$"):
        collect_paraformer(model, target)
    assert not list(target.iterdir())


@pytest.mark.parametrize(
    ("removed", "wanted", "held"),
    [("model.onnx", "fp32", "int8"), ("model_quant.onnx", "int8", "fp32")],
)
def test_another_precision_is_offered(model, target, removed, wanted, held):
    (model / removed).unlink()
    with pytest.raises(InstallError, match=rf"it holds {held}: --precision {held}"):
        collect_paraformer(model, target, wanted)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("config.yaml", "- a list", "expected a mapping, got list"),
        ("config.yaml", "a: [", "expected YAML"),
        ("config.yaml", "model: Paraformer", "expected frontend_conf, not found"),
    ],
)
def test_a_wrong_configuration_is_refused(model, target, name, content, message):
    (model / name).write_text(content)
    with pytest.raises(InstallError, match=message):
        collect_paraformer(model, target)


def test_a_tokens_txt_with_ids_is_refused(model, target):
    (model / "tokens.json").unlink()
    (model / "tokens.txt").write_text("<blank> 0\n<s> 1\n", encoding="utf-8")
    with pytest.raises(InstallError, match="expected one token a line, got '<blank> 0'"):
        collect_paraformer(model, target)


def test_only_one_precision_is_downloaded():
    patterns = download_patterns(["model", "decoder"], "int8")
    assert {"model_quant.onnx", "decoder_quant.onnx"} <= set(patterns)
    assert not {"model.onnx", "decoder.onnx", "model.pt", "*"} & set(patterns)


def test_all_graphs_must_be_there():
    streaming = RANDOM_MODELS / "paraformer_online-tiny-seed0"
    assert has_graphs(streaming, ["model", "decoder"], "fp32")
    assert not has_graphs(SOURCE, ["model", "decoder"], "fp32")
