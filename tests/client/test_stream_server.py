"""Streaming sessions against a real tritonserver with a model that keeps to the contract."""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest
import soxr

from asr_client import Client
from tests.client.sides import NOISE, SECOND, trouble, until
from tests.client.toy_streaming import SESSION_LIMIT, letters


def test_the_server_is_told_how_long_an_answer_is_waited_for(side, toy):
    async def run() -> None:
        async with (
            side.client(toy.url(side.scheme), timeout_s=7.5) as client,
            client.stream(model="toy_stream") as session,
        ):
            await session.send(NOISE[:960])
            await session.finish()
        told = [event["timeout"] for event in toy.received.events(session.sequence_id)]
        assert set(told) == {7_500_000}

    asyncio.run(run())


def test_the_text_grows_and_the_result_is_whole(side, toy):
    async def run() -> None:
        audio = NOISE[: 2 * SECOND + 7]
        async with side.session(toy, chunk_size=(0, 10, 5)) as session:
            texts = []
            for first in range(0, len(audio), 960):
                await session.send(audio[first : first + 960])
                texts.append(session.text)
            result = await session.finish()
            assert await session.finish() == result
        assert result.text == result.raw_text == letters(len(audio)) == "abcdefghijklmnopqrst."
        assert result.tokens == list(result.text)
        assert result.timestamps_ms == [(60 * i, 60 * i + 60) for i in range(21)]
        assert result.confidence == [0.5] * 21
        assert result.duration_s == len(audio) / SECOND
        assert result.model == "toy_stream"
        assert all(result.text.startswith(text) for text in texts)
        assert session.acknowledged_s == session.sent_s == len(audio) / SECOND
        assert (session.final_text, session.partial_text) == (result.text, "")

        np.testing.assert_array_equal(toy.received.audio(session.sequence_id), audio)
        events = toy.received.events(session.sequence_id)
        assert [event["start"] for event in events] == [True] + [False] * (len(events) - 1)
        assert [event["end"] for event in events] == [False] * (len(events) - 1) + [True]
        assert all(event["length"] == [[event["samples"]]] for event in events)
        assert events[0]["parameters"]["chunk_size"] == "0,10,5"
        assert all("chunk_size" not in event["parameters"] for event in events[1:])

    asyncio.run(run())


@pytest.mark.parametrize("sizes", [[0], [1], [1599, 1], [0, 1600, 0], [100_000], [7] * 50])
def test_any_cut_gives_the_same(side, toy, sizes):
    async def run() -> None:
        async with side.session(toy) as session:
            position = 0
            for size in sizes:
                await session.send(NOISE[position : position + size])
                position += size
            assert (await session.finish()).text == letters(position)
        np.testing.assert_array_equal(toy.received.audio(session.sequence_id), NOISE[:position])

    asyncio.run(run())


def test_updates_beside_the_sender_tell_each_change_once(side, toy):
    async def run() -> None:
        seen = []

        async def read() -> None:
            async for update in session.updates():
                seen.append(update)

        async with side.session(toy) as session:
            reader = asyncio.create_task(read())
            for first in range(0, 5 * SECOND, 1000):
                await session.send(NOISE[first : first + 1000])
                if first == 2 * SECOND:
                    await until(lambda: seen)
            result = await session.finish()
            await reader
            late = [update async for update in session.updates()]
        assert len(seen) > 1
        assert "".join(update.new_text for update in seen) == result.text
        assert [token for update in seen for token in update.tokens] == result.tokens
        assert [time for update in seen for time in update.timestamps_ms] == result.timestamps_ms
        assert [update.is_final for update in seen] == [False] * (len(seen) - 1) + [True]
        for update in seen:
            assert update.text == update.final_text + update.partial_text
            assert update.is_final or len(update.partial_text) <= 1
        # Who reads late gets all of it at once.
        assert [(update.new_text, update.tokens) for update in late] == [
            (result.text, result.tokens)
        ]

    asyncio.run(run())


def test_other_rates_and_bytes_are_resampled_as_one_stream(side, toy):
    async def run() -> None:
        frames = (NOISE[: 3 * 48_000 + 11] * 32767).astype(np.int16)
        async with side.session(toy) as session:
            for first in range(0, len(frames), 1441):
                piece = frames[first : first + 1441]
                audio = piece.tobytes() if first % 2 else piece
                await session.send(audio, sample_rate=48_000)
            await session.finish()
        whole = soxr.resample((frames / 32768).astype(np.float32), 48_000, SECOND)
        received = toy.received.audio(session.sequence_id)
        assert abs(len(received) - len(whole)) <= 1
        count = min(len(received), len(whole))
        np.testing.assert_allclose(received[:count], whole[:count], atol=1e-5)

    asyncio.run(run())


def test_a_server_that_stands_still_makes_send_wait_and_nothing_pile_up(side, toy):
    async def run() -> None:
        toy.received.hold()
        async with side.session(toy) as session:
            await session.send(trouble("hold"))
            sending = asyncio.create_task(session.send(np.tile(NOISE, 3)))
            await until(lambda: session.sent_s > 5)
            standing = -1.0
            while session.sent_s != standing:  # until it has taken all that it takes
                standing = session.sent_s
                await asyncio.sleep(0.3)
            assert not sending.done()
            # 8 requests of 5 s over gRPC, one over HTTP, and 5 s that wait behind them.
            assert session.sent_s <= (51 if side.scheme == "grpc" else 16)
            assert session.acknowledged_s == 0
            toy.received.release()
            await sending
            result = await session.finish()
        assert result.text == letters(160 + 180 * SECOND)
        assert len(toy.received.audio(session.sequence_id)) == 160 + 180 * SECOND

    asyncio.run(run())


def test_requests_are_pipelined_over_grpc_and_alone_over_http(side, toy):
    """While the first is held, gRPC has the others on the way; HTTP joins what waits."""

    async def run() -> None:
        toy.received.hold()
        async with side.session(toy) as session:
            await session.send(trouble("hold"))
            await until(lambda: len(toy.received.events(session.sequence_id)) == 2)
            for _ in range(6):
                await session.send(NOISE[:1600])
            toy.received.release()
            await session.finish()
        sizes = [event["samples"] for event in toy.received.events(session.sequence_id)]
        if side.scheme == "grpc":
            assert sizes == [0, 160] + [1600] * 6 + [0]
        else:
            assert sizes[:3] == [0, 160, 6 * 1600]
            assert sizes[3:] in ([], [0])  # END, if it was not quick enough to go with the audio

    asyncio.run(run())


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_the_sessions_of_a_client_share_one_thread(toy, scheme):
    def own_threads() -> int:
        return sum(thread.name.startswith("asr-client") for thread in threading.enumerate())

    with Client(toy.url(scheme)) as client:
        before = threading.active_count()
        sessions = [client.stream(model="toy_stream") for _ in range(SESSION_LIMIT)]
        for session in sessions:
            session.open()
            session.send(NOISE[:3200])
        assert own_threads() == 1
        assert threading.active_count() <= before + 2  # and gRPC's own poller, once a process
        assert [session.finish().text for session in sessions] == ["ab"] * SESSION_LIMIT
    assert own_threads() == 0


def test_sessions_of_several_event_loops_do_not_disturb_each_other(toy, caplog):
    """grpc.aio shares one poller among the loops of a process."""

    def work(number: int) -> None:
        with Client(toy.url("grpc")) as client, client.stream(model="toy_stream") as session:
            for first in range(0, 4 * SECOND, 640):
                session.send(NOISE[first : first + 640])
            texts[number] = session.finish().text

    texts: dict[int, str] = {}
    threads = [threading.Thread(target=work, args=(number,)) for number in range(SESSION_LIMIT)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert texts == {number: letters(4 * SECOND) for number in range(SESSION_LIMIT)}
    assert not caplog.records
