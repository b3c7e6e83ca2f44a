"""What is awaited for a limited time: its result, its end, and no cancellation lost."""

from __future__ import annotations

import asyncio

import pytest

from asr_client.time_limit import GivenUp, within


async def turns(count: int) -> None:
    """Let the event loop turn."""
    for _ in range(count):
        await asyncio.sleep(0)


def test_what_ends_in_time_gives_its_result_or_its_error():
    async def give():
        await turns(2)
        return "result"

    async def fail():
        await turns(2)
        raise KeyError("error")

    async def run():
        assert await within(60, give()) == "result"
        with pytest.raises(KeyError, match="error"):
            await within(60, fail())

    asyncio.run(run())


def test_what_takes_longer_is_cancelled():
    ended = []

    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            await turns(3)
            ended.append("cleaned up")

    async def run():
        with pytest.raises(TimeoutError):
            await within(0.01, wait())
        assert ended == ["cleaned up"]

    asyncio.run(run())


@pytest.mark.parametrize("before", range(4))
@pytest.mark.parametrize("as_coroutine", [False, True])
def test_a_cancellation_is_never_lost(before, as_coroutine):
    """Whatever moment it comes at, as long as the task runs."""

    async def run():
        event = asyncio.get_running_loop().create_future()

        async def wait():
            return await event

        task = asyncio.create_task(within(60, wait() if as_coroutine else event))
        await turns(3)
        event.set_result(None)
        await turns(before)
        if task.cancel():
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            assert before > 1  # it had ended
            await task

    asyncio.run(run())


@pytest.mark.parametrize("ends", [False, True])
def test_what_is_given_up_does_not_count_even_if_it_ends_as_well(ends):
    cancelled = []

    async def run():
        unless = asyncio.get_running_loop().create_future()
        event = asyncio.Event()

        async def wait():
            try:
                await event.wait()
            except asyncio.CancelledError:
                cancelled.append(True)
                raise
            raise KeyError("error")

        task = asyncio.create_task(within(60, wait(), unless=unless))
        await turns(3)
        unless.set_result(None)
        if ends:
            event.set()
        with pytest.raises(GivenUp):
            await task

    asyncio.run(run())
    assert bool(cancelled) is not ends
