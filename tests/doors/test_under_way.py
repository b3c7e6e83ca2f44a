"""What a door waits for that is to go."""

from __future__ import annotations

import asyncio

import pytest

from asr_server.doors import under_way
from asr_server.doors.under_way import Step, UnderWay

START, MIDDLE, END = (Step(1, *flags) for flags in ((True, False), (False, False), (False, True)))


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr(under_way, "_LEFT_S", 0.01)


def waits(doing: UnderWay) -> bool:
    """Whether it still waits after ten times as long as it takes at least."""

    async def ask() -> bool:
        waiting = asyncio.create_task(doing.finished())
        done, _ = await asyncio.wait({waiting}, timeout=0.1)
        waiting.cancel()
        return not done

    return asyncio.run(ask())


def goes(doing: UnderWay) -> None:
    """It finishes, however slow the machine is."""
    asyncio.run(asyncio.wait_for(doing.finished(), 30))


def test_a_call_is_waited_for():
    doing = UnderWay()
    with doing.call():
        assert waits(doing)
    goes(doing)


def test_a_sequence_is_waited_for_until_its_end():
    doing = UnderWay()
    doing.note("vad", None)
    goes(doing)
    doing.note("vad", START)
    assert waits(doing)
    doing.note("vad", MIDDLE)
    doing.note("other", END)  # of the same number, of another model
    assert waits(doing)
    doing.note("vad", END)
    goes(doing)


def test_a_sequence_that_nobody_goes_on_with_is_forgotten(monkeypatch):
    doing = UnderWay()
    doing.note("vad", START)
    doing.note("vad", Step("a", True, False))
    monkeypatch.setattr(under_way, "IDLE_S", -1.0)
    goes(doing)
    assert doing._sequences == {}
