"""A file's transcription that is left early, in any way, leaves nothing."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from asr_client import ClientClosed
from tests.client.file_transcriptions import transcription
from tests.client.local_models import LocalModels

pytestmark = pytest.mark.usefixtures("no_process_left")

NEVER_S = 3600.0  # of a recognition that is given up


def leaving(talk: Path, leave, delay_s: float = 0.05) -> LocalModels:
    """Run `leave(file)` in the middle of a file; nothing may be left."""

    async def run():
        models = LocalModels(delay_s=delay_s)
        file = transcription(models, talk)
        await leave(file)
        await file.close()
        assert not models.streams
        assert models.at_a_time == 0
        assert asyncio.all_tasks() == {asyncio.current_task()}
        return models

    return asyncio.run(run())


def test_leaving_after_a_sentence_leaves_nothing(talk):
    async def leave(file):
        async with file:
            await anext(file)
        with pytest.raises(ClientClosed):
            while True:
                await anext(file)

    leaving(talk, leave)


def test_an_exception_leaves_nothing(talk):
    async def leave(file):
        with pytest.raises(KeyError):
            async with file:
                await anext(file)
                raise KeyError

    leaving(talk, leave)


def test_cancelling_leaves_nothing(talk):
    async def leave(file):
        async def read():
            async with file:
                async for _ in file:
                    reading.cancel()  # takes effect while it waits for the next

        reading = asyncio.create_task(read())
        with pytest.raises(asyncio.CancelledError):
            await reading

    leaving(talk, leave)


def test_a_sentence_that_was_given_up_is_not_skipped_silently(talk):
    async def leave(file):
        async with file:
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(file), 0.001)
            with pytest.raises(ClientClosed, match="cancelled"):
                await anext(file)

    leaving(talk, leave, NEVER_S)


def test_what_is_not_open_is_told(talk):
    async def leave(file):
        with pytest.raises(ClientClosed, match="not open"):
            await anext(file)

    leaving(talk, leave)


@pytest.mark.parametrize("after_s", [0.0, 0.005, 0.01, 0.02, 0.04, 0.2])
def test_closing_wakes_who_waits(talk, after_s):
    async def leave(file):
        await file.open()
        waiting = asyncio.create_task(file.result())
        await asyncio.sleep(after_s)
        await file.close()
        with pytest.raises(ClientClosed):
            await waiting

    leaving(talk, leave, NEVER_S)
