"""Installing from a hub: names, ids, and repositories with other files than expected."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

import pytest

from asr_server.install import read_manifest
from asr_server.models import KINDS, copy_repository
from asr_server.places import ROOT
from tests.install.hub.server import COMMIT, serve_hub
from tests.serving import RANDOM_MODELS

SOURCE = RANDOM_MODELS / "bicif_paraformer-tiny-seed0"
ONNX_REPOSITORY = "iic/speech_paraformer-large-vad-punc_asr_nat-zh-cn-16k-common-vocab8404-onnx"
KIND = KINDS["paraformer"]


@pytest.fixture(scope="module")
def hub(tmp_path_factory):
    int8_only = tmp_path_factory.mktemp("hub") / "int8"
    shutil.copytree(SOURCE, int8_only, ignore=shutil.ignore_patterns("model.onnx"))
    repositories = {
        ONNX_REPOSITORY: SOURCE,
        "someone/paraformer": SOURCE,
        "someone/int8": int8_only,
    }
    with serve_hub(repositories) as hub:
        yield hub


class Installer:
    """The command line in a process of its own."""

    def __init__(self, hub, folder):
        self._environment = {**os.environ, **hub.environment(folder / "cache")}
        self._places = ["--store", str(folder / "store"), "--repository"]
        self.repository = copy_repository(KIND, folder / "repository")

    def run(self, *arguments):
        command = [sys.executable, "-m", "scripts.install_model", *arguments, *self._places]
        return subprocess.run(
            [*command, str(self.repository)],
            cwd=ROOT,
            env=self._environment,
            capture_output=True,
            text=True,
            timeout=600,
        )


@pytest.fixture
def installer(hub, tmp_path):
    hub.sent.clear()
    return Installer(hub, tmp_path)


def test_a_name_of_funasr_installs_the_published_onnx(installer, hub):
    result = installer.run("paraformer", "--from", "paraformer-vad-punc")
    assert result.returncode == 0, result.stderr
    assert "verified against funasr_onnx" in result.stdout
    manifest = read_manifest(installer.repository, "paraformer")
    assert manifest["source"] == {
        "hub": "modelscope",
        "repository": ONNX_REPOSITORY,
        "revision": "master",
    }
    assert manifest["name"] == ONNX_REPOSITORY.replace("/", "--")
    assert "model_quant.onnx" not in hub.names_sent()


def test_an_id_of_hugging_face_in_int8(installer, hub):
    source = ("--from", "someone/paraformer", "--hub", "huggingface")
    result = installer.run("paraformer", *source, "--precision", "int8", "--recipe", "published")
    assert result.returncode == 0, result.stderr
    manifest = read_manifest(installer.repository, "paraformer")
    assert manifest["source"]["revision"] == COMMIT
    assert manifest["precision"] == "int8"
    assert "model.onnx" not in hub.names_sent()


@pytest.mark.parametrize("hub_name", ["modelscope", "huggingface"])
def test_a_repository_with_int8_only_offers_it(installer, hub_name):
    result = installer.run("paraformer", "--from", "someone/int8", "--hub", hub_name)
    assert result.returncode == 1
    assert "someone/int8: holds int8 only: --precision int8" in result.stderr
