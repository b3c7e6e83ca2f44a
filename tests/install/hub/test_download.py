"""Downloading from both hubs, each through its own package, from a server on this machine."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from asr_server.places import ROOT
from tests.install.hub.server import COMMIT, serve_hub
from tests.serving import RANDOM_MODELS

SOURCE = RANDOM_MODELS / "bicif_paraformer-tiny-seed0"
REPOSITORIES = {"modelscope": "iic/tiny-onnx", "huggingface": "funasr/tiny"}
PATTERNS = ("model.onnx", "*.yaml", "am.mvn")
# Hugging Face's package writes what it received in pieces of 10 MB.
LARGE_BYTES, CUT_BYTES = 12_000_000, 11_000_000
PROGRAM = """
import sys
from asr_server.errors import InstallError
from asr_server.install.hub import download
try:
    snapshot = download(sys.argv[1], sys.argv[2], sys.argv[3].split(), None)
except InstallError as error:
    sys.exit(f"{type(error).__name__}: {error}")
print(snapshot.directory, snapshot.revision)
"""


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    """A small model with a large graph."""
    directory = tmp_path_factory.mktemp("hub") / "tiny"
    shutil.copytree(SOURCE, directory)
    noise = np.random.default_rng(0).bytes(LARGE_BYTES)
    (directory / "model.onnx").write_bytes(noise)
    return directory


@pytest.fixture(params=REPOSITORIES)
def hub_name(request):
    return request.param


@pytest.fixture
def hub(source):
    with serve_hub(dict.fromkeys(REPOSITORIES.values(), source)) as hub:
        yield hub


def run(hub, hub_name, cache, repository=None):
    """Download in a process of its own: both packages read their settings once."""
    arguments = [hub_name, repository or REPOSITORIES[hub_name], " ".join(PATTERNS)]
    return subprocess.run(
        [sys.executable, "-c", PROGRAM, *arguments],
        cwd=ROOT,
        env={**os.environ, **hub.environment(cache)},
        capture_output=True,
        text=True,
        timeout=300,
    )


def snapshot_of(result):
    assert result.returncode == 0, result.stderr
    directory, revision = result.stdout.split()
    return Path(directory), revision


def test_a_broken_connection_is_continued_and_the_cache_serves_without_network(
    hub, hub_name, source, tmp_path
):
    hub.cut = {"model.onnx": CUT_BYTES}
    directory, revision = snapshot_of(run(hub, hub_name, tmp_path))
    assert revision == ("master" if hub_name == "modelscope" else COMMIT)
    for name in ("model.onnx", "config.yaml", "am.mvn"):
        assert (directory / name).read_bytes() == (source / name).read_bytes()
    assert "tokens.json" not in hub.names_sent()
    starts = [start for name, start, _ in hub.sent if name == "model.onnx"]
    assert len(starts) == 2
    assert 0 < starts[1] <= CUT_BYTES
    hub.url = "http://127.0.0.1:9"  # nothing listens there
    assert snapshot_of(run(hub, hub_name, tmp_path)) == (directory, revision)


def test_a_failed_download_is_continued_by_the_next(hub, source, tmp_path):
    hub.cut, hub.keep_cutting = {"model.onnx": 1_000_000}, True
    failed = run(hub, "modelscope", tmp_path)
    assert failed.returncode == 1
    assert "The same command again continues." in failed.stderr
    hub.cut = {}
    hub.sent.clear()
    directory, _ = snapshot_of(run(hub, "modelscope", tmp_path))
    assert (directory / "model.onnx").read_bytes() == (source / "model.onnx").read_bytes()
    ((name, start, _),) = hub.sent
    assert name == "model.onnx"
    assert start > 0


@pytest.mark.parametrize(
    ("hub_name", "name"),
    [("modelscope", "am.mvn"), ("huggingface", "am.mvn"), ("huggingface", "config.yaml")],
)
def test_content_that_is_not_what_the_hub_lists_is_refused(hub, hub_name, name, source, tmp_path):
    """Large files and, on Hugging Face, small ones have hashes of different kinds."""
    hub.wrong = {name}
    result = run(hub, hub_name, tmp_path)
    assert result.returncode == 1
    message = result.stderr[result.stderr.index("DownloadError") :]
    assert name in message
    assert "hash mismatch" in message.lower()
    hub.wrong = set()
    directory, _ = snapshot_of(run(hub, hub_name, tmp_path))
    assert (directory / name).read_bytes() == (source / name).read_bytes()


def test_without_network_the_message_says_how_to_install(hub, hub_name, tmp_path):
    hub.url = "http://127.0.0.1:9"
    result = run(hub, hub_name, tmp_path)
    assert result.returncode == 1
    assert "HubUnreachableError" in result.stderr
    assert "install it with --from DIRECTORY" in result.stderr


def test_an_unknown_repository_is_named(hub, hub_name, tmp_path):
    result = run(hub, hub_name, tmp_path, "nobody/nothing")
    assert result.returncode == 1
    assert "nobody/nothing" in result.stderr
    assert "HubUnreachableError" not in result.stderr
