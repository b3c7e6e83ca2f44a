"""int8 and float16 models behind a real server: answers do not depend on the batch."""

from __future__ import annotations

import pytest

from asr_server.commands.install import main
from asr_server.models import KINDS, copy_repository
from asr_server.run import TritonServer
from tests.recordings import mixed_lengths
from tests.serving import RawClient, running


@pytest.fixture(scope="module", params=["int8", "fp16"])
def client(request, tmp_path_factory):
    """A server with both embedded models in one precision."""
    work = tmp_path_factory.mktemp(request.param)
    repositories = []
    for name in ("paraformer", "sensevoice"):
        kind = KINDS[name]
        repository = copy_repository(kind, work / kind.repository)
        places = ["--store", str(work / "store"), "--repository", str(repository)]
        assert main([name, "--precision", request.param, *places]) == 0
        if request.param == "fp16":  # as an instance on a GPU opens it
            config = repository / kind.encoder / "config.pbtxt"
            default = 'default_model_filename: "model{}.onnx"'
            text = config.read_text()
            assert default.format("") in text
            config.write_text(text.replace(default.format(""), default.format("_gpu")))
        repositories.append(repository)
    with running(TritonServer(repositories, log=work / "server.log")) as server:
        yield RawClient(server)


@pytest.mark.parametrize("kind", ["paraformer", "sensevoice"])
def test_rows_of_one_request_say_what_each_says_alone(client, kind):
    recordings = mixed_lengths(8, 0.5, 8.0, seed=5)
    alone = [client.recognise(kind, [samples])[0] for samples in recordings]
    width = max(map(len, recordings)) + 20_000
    assert client.recognise(kind, recordings, width=width) == alone
    assert sum(bool(answer.text) for answer in alone) >= 6
