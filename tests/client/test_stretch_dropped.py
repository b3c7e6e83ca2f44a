"""Live speech by SenseVoice that nobody closes: it ends with the session's object."""

from __future__ import annotations

import gc

import numpy as np

from asr_client import Client
from asr_contract import SAMPLE_RATE
from tests.streams import open_sessions, wait_for_open_sessions


def test_a_session_that_is_dropped_ends(triton_server):
    server = triton_server.server
    with Client(triton_server.grpc_url) as client:
        before = open_sessions(server, "vad")
        session = client.stream(model="sensevoice")
        session.open()
        session.send(np.zeros(SAMPLE_RATE, np.float32))
        wait_for_open_sessions(server, before + 1, timeout_s=30, model="vad")
        del session
        gc.collect()
        wait_for_open_sessions(server, before, timeout_s=30, model="vad")  # before it is idle
