"""The command line: install, verify, keep, list and switch."""

from __future__ import annotations

import importlib.util
import json
import shutil

import pytest

from asr_server import file_hashes
from asr_server.commands.install import main
from asr_server.install import agreement, read_manifest
from asr_server.models import KINDS, MANIFEST, copy_repository
from tests.serving import RANDOM_MODELS

KIND = KINDS["paraformer"]
PLAIN = RANDOM_MODELS / "paraformer-tiny-seed0"
BICIF = RANDOM_MODELS / "bicif_paraformer-tiny-seed0"


class Places:
    """A store and a repository, and the command line on them."""

    def __init__(self, folder):
        self.store = folder / "store"
        self.repository = copy_repository(KIND, folder / "repository")

    def run(self, *arguments):
        places = ["--store", str(self.store), "--repository", str(self.repository)]
        return main([*map(str, arguments), *places])

    def manifest(self):
        return json.loads((self.repository / KIND.encoder / "1" / MANIFEST).read_text())

    def contents(self):
        return {
            path.relative_to(self.repository): path.read_bytes()
            for path in self.repository.rglob("*")
            if path.is_file()
        }


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """First the plain model, then the published int8 of the one with timestamps."""
    places = Places(tmp_path_factory.mktemp("installed"))
    assert places.run("paraformer", "--from", PLAIN, "--name", "plain") == 0
    int8 = ("--precision", "int8", "--recipe", "published")
    assert places.run("paraformer", "--from", BICIF, *int8) == 0
    return places


def test_the_manifest_records_source_hashes_and_verification(installed):
    manifest = installed.manifest()
    assert manifest["kind"] == "paraformer"
    assert manifest["name"] == "bicif_paraformer-tiny-seed0-int8"
    assert manifest["source"] == {"directory": str(BICIF)}
    assert manifest["precision"] == manifest["preparation"]["precision"] == "int8"
    for name, digest in manifest["source_sha256"].items():
        assert digest == file_hashes.hash_file(BICIF / name)
    assert {"model_quant.onnx", "am.mvn", "config.yaml"} <= manifest["source_sha256"].keys()
    for name, digest in manifest["installed_sha256"].items():
        assert digest == file_hashes.hash_file(installed.repository / name)
    assert f"{KIND.encoder}/1/model.onnx" in manifest["installed_sha256"]
    found = agreement.Agreement(**manifest["funasr_onnx_agreement"])
    assert found.recordings == 7
    assert found.share >= agreement.REQUIRED_SHARE["int8"]


def test_models_are_listed_and_switched(installed, capsys):
    assert installed.run("use", "paraformer", "plain") == 0
    assert installed.manifest()["name"] == "plain"
    capsys.readouterr()
    assert installed.run("list") == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[0] for line in lines] == [" ", "*"]
    assert "bicif_paraformer-tiny-seed0-int8  int8" in lines[0]
    assert f"plain  fp32  {PLAIN}" in lines[1]
    assert installed.run("use", "paraformer", "other") == 1
    assert "there are: bicif_paraformer-tiny-seed0-int8, plain" in capsys.readouterr().err


@pytest.mark.parametrize("precision", ["fp32", "int8"])
@pytest.mark.parametrize("variant", ["contextual", "seaco"])
def test_models_with_hotwords_are_verified_with_hotwords(variant, precision, tmp_path, capsys):
    places = Places(tmp_path)
    source = tmp_path / "model"
    shutil.copytree(RANDOM_MODELS / f"{variant}_paraformer-tiny-seed0", source)
    (source / "model_eb_quant.onnx").unlink()  # not all publish it; it is the same
    recipe = ("--recipe", "published") if precision == "int8" else ()
    assert places.run("paraformer", "--from", source, "--precision", precision, *recipe) == 0
    assert "verified against funasr_onnx" in capsys.readouterr().out
    manifest = places.manifest()
    assert manifest["preparation"]["kind"] == f"{variant}_paraformer"
    assert "paraformer_feature_extractor/1/hotword_embedder.npz" in manifest["installed_sha256"]
    assert places.run("paraformer", "--from", PLAIN) == 0
    left = places.repository / "paraformer_feature_extractor" / "1" / "hotword_embedder.npz"
    assert not left.exists()


def test_a_mismatch_leaves_the_former_model(installed, capsys, monkeypatch):
    before, entries = installed.contents(), sorted(installed.store.rglob("*"))
    load, _ = agreement.LOADERS["paraformer"]
    other = (load, lambda files, quantized: lambda material: ["something else"] * 7)
    monkeypatch.setitem(agreement.LOADERS, "paraformer", other)
    assert installed.run("paraformer", "--from", BICIF) == 1
    message = capsys.readouterr().err
    assert "does not say what funasr_onnx says on the same files: 0 of 14 tokens" in message
    assert installed.contents() == before
    assert sorted(installed.store.rglob("*")) == entries


def test_without_funasr_onnx_it_is_said(installed, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(agreement, "can_compare", lambda kind: False)
    assert installed.run("paraformer", "--from", PLAIN, "--name", "unverified") == 0
    assert "not verified against funasr_onnx" in capsys.readouterr().out
    assert installed.manifest()["funasr_onnx_agreement"] is None
    shutil.rmtree(installed.store / "paraformer" / "unverified")


def test_a_checkpoint_without_torch_says_what_to_do(tmp_path, capsys, monkeypatch):
    source = tmp_path / "finetuned"
    shutil.copytree(PLAIN, source)
    (source / "model.onnx").unlink()
    (source / "model_quant.onnx").unlink()
    (source / "model.pt").write_bytes(b"")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name in ("torch", "funasr") else find(name),
    )
    assert Places(tmp_path).run("paraformer", "--from", source) == 1
    message = capsys.readouterr().err
    assert "exporting it needs torch, funasr: make export-env" in message


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("sensevoice", "sensevoice-tiny-seed0"),
        ("paraformer-online", "paraformer_online-tiny-seed0"),
        ("vad", "fsmn_vad-tiny-seed0"),
        ("punctuation", "ct_transformer-tiny-seed0"),
        ("punctuation-online", "ct_transformer_streaming-tiny-seed0"),
    ],
)
def test_every_kind_is_verified(kind, source, tmp_path, capsys):
    repository = copy_repository(KINDS[kind], tmp_path / "repository")
    places = ["--store", str(tmp_path / "store"), "--repository", str(repository)]
    assert main([kind, "--from", str(RANDOM_MODELS / source), *places]) == 0
    assert "verified against funasr_onnx" in capsys.readouterr().out
    found = read_manifest(repository, kind)["funasr_onnx_agreement"]
    assert found["equal_tokens"] == found["tokens"] > 10


def test_a_kind_without_embedded_model_asks_for_one(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("asr_server.models.kinds.EMBEDDED_MODELS", tmp_path)
    assert main(["vad", "--store", str(tmp_path)]) == 1
    assert "give --from" in capsys.readouterr().err
