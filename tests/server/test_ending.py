"""Clients hear of a server that ends that it is not ready, or gone; not that it lacks a model."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from asr_client import AsrError, Client, ModelNotFound
from asr_client.transport import is_outage
from asr_contract import SAMPLE_RATE
from tests.serve_command import END_TIMEOUT_S, serving
from tests.serving import RANDOM_MODELS, install_models

REQUEST_TIMEOUT_S = 10


@pytest.fixture
def repositories(tmp_path):
    sources = {"sensevoice": "sensevoice-tiny-seed0", "vad": "fsmn_vad-tiny-seed0"}
    return install_models(tmp_path, {k: RANDOM_MODELS / source for k, source in sources.items()})


def ask_until(ended: threading.Event, url: str, ask: Callable[[Client], object]) -> list[AsrError]:
    """Ask again and again; return what was raised."""
    failures = []
    with Client(url, timeout_s=REQUEST_TIMEOUT_S) as client:
        while not ended.is_set():
            try:
                ask(client)
            except AsrError as error:
                failures.append(error)
                time.sleep(0.01)
    return failures


@pytest.mark.parametrize(
    ("number", "options"),
    [(signal.SIGINT, ()), (signal.SIGTERM, ()), (signal.SIGINT, ("--open-triton",))],
)
def test_a_server_that_ends_is_not_one_without_models(repositories, tmp_path, number, options):
    path = tmp_path / "a.wav"
    soundfile.write(path, np.zeros(SAMPLE_RATE), SAMPLE_RATE)
    calls: list[Callable[[Client], object]] = [
        lambda client: client.transcribe(path),
        lambda client: client.transcribe_file(path, punctuation=False),
        lambda client: client.align(path, "你好"),
    ]
    ended, heard = threading.Event(), []
    with serving(repositories, tmp_path / "server.log", "--drain-s", "1", *options) as server:
        asking = [
            threading.Thread(target=lambda u=url, c=call: heard.extend(ask_until(ended, u, c)))
            for url in (server.grpc_url, server.http_url)
            for call in calls
        ]
        for thread in asking:
            thread.start()
        time.sleep(2)
        server.process.send_signal(number)
        assert server.process.wait(END_TIMEOUT_S) == 0
        time.sleep(0.5)
        ended.set()
        for thread in asking:
            thread.join()
    assert heard
    assert not [error for error in heard if isinstance(error, ModelNotFound)]
    assert not [error for error in heard if not is_outage(error)]
