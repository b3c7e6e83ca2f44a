"""One server with the streaming model that is none, for all tests of streaming clients."""

from __future__ import annotations

import pytest

from scripts.triton_server import ServerFlags, TritonServer
from tests.client.toy_streaming import Received, Toy, write_repository
from tests.serving import READY_TIMEOUT_S


@pytest.fixture(scope="session")
def toy(tmp_path_factory):
    work = tmp_path_factory.mktemp("toy-stream")
    repository = write_repository(work / "repository")
    flags = ServerFlags(exit_timeout_s=3)
    with TritonServer([repository], log=work / "server.log", flags=flags) as server:
        server.wait_ready(READY_TIMEOUT_S)
        yield Toy(server, Received(repository))
