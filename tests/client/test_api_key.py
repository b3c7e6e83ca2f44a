"""The key of a server that asks for one: given, of a file, or of the environment."""

from __future__ import annotations

import asyncio
import os

import pytest

from asr_client import AsyncClient, Client, OptionError
from asr_client.cli import main
from asr_client.options import key_headers
from asr_contract.access import KEY_VARIABLE
from tests.client.test_cli import FakeClient


@pytest.fixture(autouse=True)
def environment(monkeypatch):
    monkeypatch.setenv(KEY_VARIABLE, "of the environment")


def test_what_is_given_counts_before_the_environment():
    assert key_headers() == {"authorization": "Bearer of the environment"}
    assert key_headers("given") == {"authorization": "Bearer given"}
    assert key_headers("") == {}


@pytest.mark.parametrize("key", ["a\nb", "键", 5])
def test_what_cannot_stand_in_a_header_is_refused(key):
    for kind in (Client, AsyncClient):
        with pytest.raises(OptionError, match="api_key: expected printable ASCII"):
            kind("grpc://127.0.0.1:1", api_key=key)


@pytest.mark.parametrize("url", ["grpc://127.0.0.1:1", "http://127.0.0.1:1"])
def test_both_clients_take_it(url):
    async def run() -> None:
        await AsyncClient(url, api_key="given").close()

    asyncio.run(run())
    Client(url, api_key="given").close()


def test_the_command_line_reads_it_from_a_file(tmp_path):
    path = tmp_path / "key"
    path.write_text("of a file\n")
    client = FakeClient({"a.wav": "一"})
    assert main(["transcribe", "a.wav", "--api-key-file", str(path)], client_factory=client) == 0
    assert os.environ[KEY_VARIABLE] == "of a file"


@pytest.mark.parametrize("content", [None, "", "one\ntwo\n"])
def test_a_file_without_one_key_is_refused(tmp_path, capsys, content):
    path = tmp_path / "key"
    if content is not None:
        path.write_text(content)
    assert main(["models", "--api-key-file", str(path)]) == 2
    assert f"--api-key-file {path}: " in capsys.readouterr().err
