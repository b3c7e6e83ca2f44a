"""Files wait for a decoder's place; each owner has a share of them."""

from __future__ import annotations

import asyncio
import time
from pathlib import Path

import psutil
import pytest

from asr_client import Overloaded
from asr_client.audio.media import MediaDecoder
from asr_client.audio.media.places import MediaPlaces
from tests.client.media_files import children, endless_sox

pytestmark = pytest.mark.usefixtures("no_process_left")


def test_files_wait_for_a_place_and_a_short_one_gives_it_back(media_files, monkeypatch):
    places = MediaPlaces(2)
    monkeypatch.setattr("asr_client.audio.media.decoder.PLACES", places)

    async def run() -> None:
        most = 0

        async def one() -> None:
            nonlocal most
            async with MediaDecoder(media_files / "clicks.mp3") as media:
                most = max(most, len(children()))
                await asyncio.sleep(0.2)  # it has ended, though nobody has read it
                assert len([block async for block in media]) > 5

        await asyncio.gather(*(one() for _ in range(12)))
        assert 1 <= most <= 2

    begun_s = time.monotonic()
    asyncio.run(run())
    assert time.monotonic() - begun_s < 12 * 0.2 + 5


def test_each_owner_has_a_share():
    async def run() -> None:
        places = MediaPlaces(8, patience_s=0.05)

        async def take_all(owner: str) -> list:
            held = []
            try:
                while True:
                    held.append(await places.take(owner))
            except Overloaded:
                return held

        # Half of what the others leave, and one in any case while there is one.
        held = [await take_all(owner) for owner in ("a", "b", "c", "d", "e", "f")]
        assert [len(places_of) for places_of in held] == [4, 2, 1, 1, 0, 0]
        with pytest.raises(Overloaded, match=r"no decoder was free for 0\.05 s"):
            await places.take("")
        held[0].pop().release()
        assert len(await take_all("a")) == 0  # b holds fewer
        assert len(await take_all("e")) == 1

    asyncio.run(run())


def test_the_next_place_goes_to_whoever_holds_the_fewest():
    async def run() -> None:
        places = MediaPlaces(4)
        held = [await places.take("") for _ in range(4)]
        order: list[str] = []

        async def wait(owner: str) -> None:
            await places.take(owner)
            order.append(owner)

        waiting = []
        for owner in ("a", "a", "a", "b"):
            waiting.append(asyncio.create_task(wait(owner)))
            await asyncio.sleep(0)
        for place in held:
            place.release()
            place.release()  # harmless
            await asyncio.sleep(0.01)
        assert order[:2] == ["a", "b"]
        for task in waiting:
            task.cancel()
        await asyncio.gather(*waiting, return_exceptions=True)

    asyncio.run(run())


def test_one_who_goes_away_leaves_the_queue():
    async def run() -> None:
        places = MediaPlaces(1)
        first = await places.take("a")
        gone = asyncio.create_task(places.take("b"))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.gather(gone, return_exceptions=True)
        last = asyncio.create_task(places.take("c"))
        await asyncio.sleep(0)
        first.release()
        (await asyncio.wait_for(last, 1)).release()

    asyncio.run(run())


def test_a_bomb_costs_its_sender_a_place_and_nobody_else(tmp_path, media_files, monkeypatch):
    monkeypatch.setattr("asr_client.audio.media.decoder.PLACES", MediaPlaces(4))
    day = Path(tmp_path / "day.sox")
    endless_sox(day, 23)

    async def run() -> None:
        async def bomb() -> None:
            async with MediaDecoder(day, owner="attacker") as media:
                async for _ in media:
                    await asyncio.sleep(0.01)

        before = psutil.Process().memory_info().rss
        bombs = [asyncio.create_task(bomb()) for _ in range(20)]
        while len(children()) < 2:
            await asyncio.sleep(0.05)
        await asyncio.sleep(0.5)
        assert len(children()) == 2
        for _ in range(3):  # which ends, though the bombs would go on for hours
            async with MediaDecoder(media_files / "clicks.mp3", owner="somebody") as media:
                assert len([block async for block in media]) > 5
        assert psutil.Process().memory_info().rss - before < 200e6
        for task in bombs:
            task.cancel()
        await asyncio.gather(*bombs, return_exceptions=True)

    asyncio.run(run())
