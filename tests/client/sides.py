"""The four ways to a server, gRPC or HTTP, synchronous or asynchronous, in one form for tests."""

from __future__ import annotations

import asyncio
import time
from contextlib import asynccontextmanager

import numpy as np

from asr_client import AsyncClient, Client
from tests.client.toy_streaming import TROUBLE, Toy

SECOND = 16_000
NOISE = np.random.default_rng(0).uniform(-0.5, 0.5, 60 * SECOND).astype(np.float32)


class InThreads:
    """Makes a synchronous client or session look asynchronous: every call in another thread."""

    def __init__(self, inner) -> None:
        self._inner = inner

    def __getattr__(self, name: str):
        value = getattr(self._inner, name)
        if name == "stream":
            return lambda **options: InThreads(value(**options))
        if name == "updates":
            return lambda: self._each(value())
        if not callable(value):
            return value

        async def call(*arguments, **options):
            return await asyncio.to_thread(value, *arguments, **options)

        return call

    async def _each(self, iterator):
        while (item := await asyncio.to_thread(next, iterator, None)) is not None:
            yield item

    async def __aenter__(self):
        await asyncio.to_thread(self._inner.__enter__)
        return self

    async def __aexit__(self, *error):
        await asyncio.to_thread(self._inner.__exit__, *error)


class Side:
    """One of the four ways to the server: a protocol, and a kind of client."""

    def __init__(self, name: str) -> None:
        self.scheme, _, kind = name.partition("-")
        self.asynchronous = kind == "async"

    def client(self, url: str, **options):
        if self.asynchronous:
            return AsyncClient(url, **options)
        return InThreads(Client(url, **options))

    @asynccontextmanager
    async def session(self, toy: Toy, **options):
        """An open session with the toy."""
        async with (
            self.client(toy.url(self.scheme)) as client,
            client.stream(model="toy_stream", **options) as session,
        ):
            yield session


def trouble(kind: str, samples: int = 160) -> np.ndarray:
    return np.full(samples, TROUBLE[kind], np.float32)


async def until(condition, timeout_s: float = 90) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        await asyncio.sleep(0.02)


async def ended(toy: Toy, sequence_id: int) -> None:
    """Wait until END has reached the model; closing does not wait for a slow machine."""
    await until(lambda: [e["end"] for e in toy.received.events(sequence_id)][-1:] == [True])
