"""How many bytes wait at a door."""

from __future__ import annotations

import asyncio

import pytest

from asr_server.doors.body import NoRoom, Room


def test_messages_that_are_in_memory_wait_up_to_a_sum():
    async def run() -> None:
        room = Room(max_bytes=100, max_waiting_bytes=150)
        begun, over = asyncio.Event(), asyncio.Event()

        async def hold(count: int) -> None:
            async with room.reserved(count):
                begun.set()
                await over.wait()

        held = asyncio.create_task(hold(100))
        await begun.wait()
        waiting = [asyncio.create_task(hold(70)) for _ in range(2)]
        await asyncio.sleep(0)
        with pytest.raises(NoRoom):  # at once: 140 of 150 wait already
            await asyncio.wait_for(hold(20), 1)
        over.set()
        await asyncio.gather(held, *waiting)
        await hold(100)  # all is given back

    asyncio.run(asyncio.wait_for(run(), 30))
