"""int8 and float16 models behind a real server: answers do not depend on the batch."""

from __future__ import annotations

import shutil
from concurrent.futures import ThreadPoolExecutor

import pytest

from asr_server.commands.install import main
from asr_server.install.installed import Material, load_paraformer_online
from asr_server.models import KINDS, copy_repository
from asr_server.run import TritonServer
from tests import prepared_models
from tests.recordings import mixed_lengths
from tests.serving import RawClient, running
from tests.streams import Stream


@pytest.fixture(scope="module", params=["int8", "fp16"])
def client(request, tmp_path_factory):
    """A server with both embedded models in one precision."""
    work = tmp_path_factory.mktemp(request.param)
    repositories = []
    for name in ("paraformer", "sensevoice"):
        prepared_models.put_embedded(name, request.param, work / name)
        repositories.append(work / name / "repository")
        if request.param == "fp16":
            open_graphs_for_gpu(KINDS[name], repositories[-1])
    with running(TritonServer(repositories, log=work / "server.log")) as server:
        yield RawClient(server)


def open_graphs_for_gpu(kind, repository):
    """Let every instance open what one on a GPU does."""
    for graph in kind.graphs:
        config = repository / graph.model / "config.pbtxt"
        default = 'default_model_filename: "model{}.onnx"'
        text = config.read_text()
        assert default.format("") in text
        config.write_text(text.replace(default.format(""), default.format("_gpu")))


@pytest.mark.parametrize("kind", ["paraformer", "sensevoice"])
def test_rows_of_one_request_say_what_each_says_alone(client, kind):
    recordings = mixed_lengths(8, 0.5, 8.0, seed=5)
    alone = [client.recognise(kind, [samples])[0] for samples in recordings]
    width = max(map(len, recordings)) + 20_000
    assert client.recognise(kind, recordings, width=width) == alone
    assert sum(bool(answer.text) for answer in alone) >= 6


@pytest.fixture(scope="module")
def installed_over_fp32(tmp_path_factory):
    """A streaming model in fp16, some recordings, and what they gave in fp32 before it."""
    work, kind = tmp_path_factory.mktemp("streaming"), KINDS["paraformer-online"]
    repository = copy_repository(kind, work / kind.repository)
    places = ["--store", str(work / "store"), "--repository", str(repository)]
    assert main([kind.name, *places]) == 0
    recordings = mixed_lengths(4, 2.0, 8.0, seed=7)
    in_fp32 = load_paraformer_online(repository)(Material(recordings, []))
    assert main([kind.name, "--precision", "fp16", *places]) == 0
    return repository, recordings, in_fp32


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_streams_say_the_same_while_their_cache_is_carried_in_float16(
    installed_over_fp32, tmp_path, device
):
    """Both graphs of an installation in fp16 take it; together or not, streams keep their text."""
    installed, recordings, in_fp32 = installed_over_fp32
    repository = shutil.copytree(installed, tmp_path / installed.name)
    if device == "gpu":
        open_graphs_for_gpu(KINDS["paraformer-online"], repository)
    with (
        running(TritonServer([repository], log=tmp_path / "server.log")) as server,
        ThreadPoolExecutor(len(recordings)) as pool,
    ):
        alone = [Stream(server).run(samples) for samples in recordings]
        together = [*pool.map(lambda samples: Stream(server).run(samples), recordings)]
    assert together == alone
    assert sum(map(bool, alone)) >= 3
    assert sum(map(str.__eq__, alone, in_fp32)) >= 3
