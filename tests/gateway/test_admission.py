"""Who gets a place when many come at once."""

from __future__ import annotations

import asyncio
import time

from asr_gateway.live.admission import serve_session
from asr_gateway.shared import Gateway, GatewaySettings

CLIENT = "127.0.0.1"


class Waiting:
    """A session without audio: it gives its place to whoever asks."""

    client = CLIENT

    def __init__(self, give_place_back) -> None:
        self.idle_since_s: float | None = time.monotonic()
        self._give_place_back = give_place_back
        self._over = asyncio.Event()

    def make_way(self) -> None:
        self.idle_since_s = None
        self._give_place_back()
        self._over.set()

    def stop(self) -> None:
        self._over.set()

    async def run(self) -> None:
        await self._over.wait()


class SlowTriton:
    """It answers all who ask at the same moment, late."""

    def __init__(self) -> None:
        self.answered = asyncio.Event()

    async def answers(self) -> bool:
        await self.answered.wait()
        return True


def test_many_that_wait_for_triton_together_find_places_of_idle_ones():
    """Those before each have begun when it looks for a place, so that there is one to give."""

    async def run() -> None:
        gateway = Gateway(GatewaySettings(max_sessions_per_client=2))
        gateway.triton = SlowTriton()
        tasks = [
            asyncio.create_task(
                serve_session(gateway, CLIENT, lambda admission: Waiting(admission.give_back))
            )
            for _ in range(6)
        ]
        await asyncio.sleep(0)
        gateway.triton.answered.set()
        while sum(task.done() for task in tasks) < 4:
            await asyncio.sleep(0.01)
        assert all(task.exception() is None for task in tasks if task.done())  # they made way
        assert gateway.limits.open == len(gateway.sessions) == 2
        for session in gateway.sessions:
            session.stop()
        await asyncio.gather(*tasks)
        await gateway.close()

    asyncio.run(asyncio.wait_for(run(), 60))
