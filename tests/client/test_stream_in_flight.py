"""How much of a session's audio is on the way at once; the server keeps the memory for it."""

from __future__ import annotations

import asyncio

import numpy as np

from asr_client.aio.session import AsyncStreamSession
from asr_client.streaming.protocol import (
    MAX_IN_FLIGHT_SAMPLES,
    MAX_REQUEST_SAMPLES,
    SequenceRequests,
)
from asr_contract import SAMPLE_RATE


class SlowServer:
    """A transport and its one stream; answers each request when it is let."""

    max_in_flight = 8

    def __init__(self) -> None:
        self.on_the_way: list[int] = []
        self.requests: list[int] = []
        self.most = 0
        self.may_answer = asyncio.Semaphore(0)

    def open_stream(self) -> SlowServer:
        return self

    async def infer(self, request, timeout_s):
        return await self._answered(request)

    async def exchange(self, request, timeout_s):
        samples = request.inputs["WAV"].size
        self.requests.append(samples)
        self.on_the_way.append(samples)
        self.most = max(self.most, sum(self.on_the_way))
        await self.may_answer.acquire()
        self.on_the_way.pop(0)
        return await self._answered(request)

    async def _answered(self, request):
        is_end = request.step.end
        texts = np.array([b""], object)
        return {"TRANSCRIPTS": texts, "TEXT": texts[:, None], "IS_FINAL": np.array([[is_end]])}

    async def close(self) -> None:
        pass


def test_a_server_that_is_late_has_few_seconds_of_a_session_at_once():
    async def talk() -> tuple[SlowServer, int]:
        server = SlowServer()
        session = AsyncStreamSession(server, "grpc://slow", SequenceRequests("m"), 60.0)
        piece, sent = np.zeros(SAMPLE_RATE // 10, np.float32), 0
        async with session:
            for _ in range(20):  # it answers once whenever a client that does not wait is full
                server.may_answer.release()
                try:
                    while True:
                        await asyncio.wait_for(session.send(piece), 0.05)
                        sent += piece.size
                except TimeoutError:
                    pass
            for _ in range(200):
                server.may_answer.release()
            await session.finish()
        return server, sent

    server, sent = asyncio.run(talk())
    assert max(server.requests) <= MAX_REQUEST_SAMPLES
    assert server.most < MAX_IN_FLIGHT_SAMPLES + MAX_REQUEST_SAMPLES
    assert sum(server.requests) >= sent  # more where `send` was cancelled behind its piece
    assert sent > 2 * MAX_IN_FLIGHT_SAMPLES
