"""Several servers as one: who gets what, and what becomes of it when one of them fails."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import time
from contextlib import ExitStack

import grpc
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_client import (
    AsyncClient,
    Client,
    ConnectionFailed,
    OptionError,
    RequestTimeout,
    ServerError,
    SessionLimitReached,
)
from asr_client.cluster import read_endpoints
from asr_client.files.resuming import ToldSegments
from asr_client.transport import is_outage
from asr_server.run import ServerFlags, TritonServer
from tests.client import misbehaving, toy_repository, toy_streaming
from tests.client.sides import NOISE, SECOND, until
from tests.client.toy_streaming import SESSION_LIMIT, TROUBLE, Received, Toy, letters
from tests.serving import READY_TIMEOUT_S

SCHEMES = ("grpc", "http")


def start(stack: ExitStack, work, **options) -> Toy:
    """A server with the toy models, on files of its own."""
    repository = toy_streaming.write_repository(work / "streams")
    requests = toy_repository.write_repository(work / "requests")
    flags = ServerFlags(exit_timeout_s=1)
    server = TritonServer([repository, requests], log=work / "log", flags=flags, **options)
    return Toy(stack.enter_context(server), Received(repository))


@pytest.fixture(scope="module")
def toys(tmp_path_factory):
    with ExitStack() as stack:
        toys = [start(stack, tmp_path_factory.mktemp(f"several{index}")) for index in range(2)]
        for toy in toys:
            toy.server.wait_ready(READY_TIMEOUT_S)
        yield toys


def urls(toys, scheme: str) -> list[str]:
    return [toy.url(scheme) for toy in toys]


async def transcribe(client: AsyncClient, samples: int) -> str:
    transcript = await client.transcribe(NOISE[:samples], sample_rate=16_000, model="toy")
    return transcript.text


@pytest.mark.parametrize(
    "url", ["grpc://a, http://b:1", ["grpc://a", "http://b:1"], ["grpc://a,http://b:1", "grpc://a"]]
)
def test_urls_come_in_lists_and_with_commas_and_count_once(url):
    assert [each.url for each in read_endpoints(url)] == ["grpc://a:8001", "http://b:1"]


@pytest.mark.parametrize("url", ["", [], ",", ["grpc://a", "b:1"], "grpc://a,b", ["grpc://a", 5]])
def test_urls_that_make_no_sense_are_named(url):
    with pytest.raises(OptionError, match="url: expected"):
        AsyncClient(url)


@pytest.mark.parametrize("scheme", SCHEMES)
def test_streams_are_spread_and_stay_where_they_began(toys, scheme):
    async def run() -> None:
        async with AsyncClient(urls(toys, scheme)) as client:
            sessions = [client.stream(model="toy_stream") for _ in range(2 * SESSION_LIMIT)]
            for session in sessions:
                await session.open()
            with pytest.raises(SessionLimitReached):  # of each of them
                await client.stream(model="toy_stream").open()
            for session in sessions:
                await session.send(NOISE[:SECOND])
            for session in sessions:
                assert (await session.finish()).text == letters(SECOND)
            for session in sessions:
                got = [len(toy.received.events(session.sequence_id)) for toy in toys]
                assert sorted(map(bool, got)) == [False, True]
            kept = [sum(bool(toy.received.events(s.sequence_id)) for s in sessions) for toy in toys]
            assert kept == [SESSION_LIMIT, SESSION_LIMIT]

    asyncio.run(run())


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_server_that_is_not_there_costs_nobody_anything(toys, scheme):
    async def run() -> None:
        nobody = f"{scheme}://127.0.0.1:{misbehaving.refusing_port()}"
        async with AsyncClient([nobody, *urls(toys, scheme)]) as client:
            texts = await asyncio.gather(*(transcribe(client, 100 + i) for i in range(10)))
            assert texts == [str(100 + i) for i in range(10)]
            assert await client.is_ready("toy_stream")
            for _ in range(4):
                async with client.stream(model="toy_stream") as session:
                    await session.send(NOISE[:SECOND])
                    assert (await session.finish()).text == letters(SECOND)
        async with AsyncClient([nobody, urls(toys, scheme)[0]]) as client:
            sessions = [client.stream(model="toy_stream") for _ in range(SESSION_LIMIT)]
            for session in sessions:
                await session.open()
            with pytest.raises(SessionLimitReached):  # not that nobody is there
                await client.stream(model="toy_stream").open()
            for session in sessions:
                await session.close()
        async with AsyncClient([nobody, nobody.replace("127.0.0.1", "127.0.0.2")]) as client:
            with pytest.raises(ConnectionFailed):
                await transcribe(client, 100)
            assert not await client.is_ready()

    asyncio.run(run())


def test_what_a_server_cannot_do_any_more_as_it_stops_is_its_failure():
    """Triton 24.10's words, of a model that asked another."""
    words = "vad_encoder: Model vad_encoder - Error when running inference: Server not ready"
    assert is_outage(ServerError("grpc://a:8001: model 'vad': " + words, server_message=words))
    words = "vad_encoder: expected [T, 400]; got [3]"
    assert not is_outage(ServerError("grpc://a:8001: model 'vad': " + words, server_message=words))


def test_what_a_server_that_leaves_cancels_is_done_by_another(toys):
    async def run(leaving: str) -> None:
        async with AsyncClient([leaving, urls(toys, "grpc")[0]]) as client:
            texts = await asyncio.gather(*(transcribe(client, 100 + i) for i in range(10)))
            assert texts == [str(100 + i) for i in range(10)]

    with misbehaving.refusing_every_call(grpc.StatusCode.CANCELLED) as port:
        asyncio.run(run(f"grpc://127.0.0.1:{port}"))


@pytest.mark.parametrize("scheme", ["grpc", pytest.param("http", marks=pytest.mark.soak)])
def test_a_server_that_stops_in_its_tracks_is_left_out_and_given_up(toys, monkeypatch, scheme):
    """What is under way there is done by the other, and a stream goes on there."""
    paused, other = toys
    monkeypatch.setattr("asr_client.cluster.members.SILENT_S", 2.5)

    async def run() -> None:
        async with AsyncClient(urls(toys, scheme)) as client:
            sessions = [client.stream(model="toy_stream") for _ in range(2)]
            for session in sessions:
                await session.open()
                await session.send(NOISE[:SECOND])
            await until(lambda: all(session.acknowledged_s == 1 for session in sessions))
            mine = [each for each in sessions if paused.received.events(each.sequence_id)]
            assert len(mine) == 1
            os.kill(paused.server.pid, signal.SIGSTOP)
            try:
                answers = [asyncio.create_task(transcribe(client, 200 + i)) for i in range(4)]
                await asyncio.sleep(2.0)
                for _ in range(3):
                    late_s = time.monotonic()
                    async with client.stream(model="toy_stream") as session:
                        await session.send(NOISE[:SECOND])
                        assert (await session.finish()).text == letters(SECOND)
                        assert other.received.events(session.sequence_id)
                    assert time.monotonic() - late_s < 1.5
                assert await asyncio.gather(*answers) == [str(200 + i) for i in range(4)]
                sent = SECOND
                while not other.received.events(mine[0].sequence_id):
                    await mine[0].send(NOISE[:160])
                    sent += 160
                    await asyncio.sleep(0.1)
                transcript = await mine[0].finish()
                assert transcript.text == letters(sent)
                assert "was heard again" in transcript.warnings[0]
            finally:
                os.kill(paused.server.pid, signal.SIGCONT)
            both = {await served_by(toys, client) for _ in range(20)}
            while len(both) < 2:
                await asyncio.sleep(0.2)
                both.add(await served_by(toys, client))
            for session in sessions:
                await session.close()

    asyncio.run(run())


@pytest.mark.parametrize("how", ["late", "cancelled"])
def test_the_server_learns_that_nobody_waits_any_more(toys, how):
    """Of a deadline that has passed, and of a cancellation, while a request waits there."""
    toy = toys[0]

    async def run() -> None:
        toy.received.hold()
        async with (
            AsyncClient(urls(toys[:1], "grpc")) as client,
            AsyncClient(urls(toys[:1], "grpc"), timeout_s=0.5) as impatient,
        ):
            holding = client.stream(model="toy_stream_core")
            await holding.open()
            await holding.send(np.full(SECOND, TROUBLE["hold"], np.float32))
            await until(lambda: len(toy.received.events(holding.sequence_id)) == 2)
            waiting = (impatient if how == "late" else client).stream(model="toy_stream_core")
            opening = asyncio.create_task(waiting.open())
            if how == "cancelled":
                await asyncio.sleep(0.5)
                opening.cancel()
            with pytest.raises(asyncio.CancelledError if how == "cancelled" else RequestTimeout):
                await opening
            toy.received.release()
            await holding.finish()
            await until(lambda: bool(toy.received.events(waiting.sequence_id)))
            assert toy.received.events(waiting.sequence_id)[0]["cancelled"]

    asyncio.run(run())


async def served_by(toys, client: AsyncClient) -> int:
    """Which server a new session is on."""
    async with client.stream(model="toy_stream") as session:
        return [bool(toy.received.events(session.sequence_id)) for toy in toys].index(True)


def test_a_name_with_several_addresses_is_several_servers(tmp_path, monkeypatch):
    """And is looked up again: a server that comes gets sessions, one that goes loses none."""
    look_up = socket.getaddrinfo
    behind: list[str] = []

    def resolve(host, *arguments, **options):
        names = behind if host == "triton.test" else [host]
        return [entry for name in names for entry in look_up(name, *arguments, **options)]

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr("asr_client.cluster.members.RESOLVE_S", 0.05)

    async def run(toy: Toy, other: Toy, url: str) -> None:
        behind[:] = ["127.0.0.1"]
        async with AsyncClient(url) as client:
            assert {await served_by([toy, other], client) for _ in range(4)} == {0}
            first = client.stream(model="toy_stream")
            await first.open()
            behind.append("127.0.0.2")
            while await served_by([toy, other], client) == 0:
                await asyncio.sleep(0.05)
            behind.remove("127.0.0.1")
            while await served_by([toy, other], client) == 0:
                await asyncio.sleep(0.05)
            assert {await served_by([toy, other], client) for _ in range(4)} == {1}
            behind.clear()  # a name server that fails takes nothing away
            await asyncio.sleep(0.3)
            assert await served_by([toy, other], client) == 1
            await first.send(NOISE[:SECOND])
            assert (await first.finish()).text == letters(SECOND)

    with ExitStack() as stack:
        toy = start(stack, tmp_path / "toy")  # without the sessions that others have lost there
        ports = {scheme: int(toy.url(scheme).rpartition(":")[2]) for scheme in SCHEMES}
        named = {f"{scheme}_port": port for scheme, port in ports.items()}
        other = start(stack, tmp_path / "other", host="127.0.0.2", **named)
        for each in (toy, other):
            each.server.wait_ready(READY_TIMEOUT_S)
        for scheme in SCHEMES:
            asyncio.run(run(toy, other, f"{scheme}://triton.test:{ports[scheme]}"))


@pytest.mark.parametrize("scheme", SCHEMES)
def test_a_name_that_nobody_knows_is_the_reason_that_is_told(monkeypatch, scheme):
    def resolve(host, *arguments, **options):
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", resolve)
    monkeypatch.setattr("asr_client.cluster.members.RESOLVE_S", 0.01)  # again during the call

    async def run() -> None:
        nobody = [f"{scheme}://triton.test", f"{scheme}://other.test"]
        async with AsyncClient(nobody, timeout_s=5.0) as client:
            for _ in range(3):
                with pytest.raises(ConnectionFailed, match=r"(triton|other)\.test"):
                    await client.check_ready()

    asyncio.run(run())


def test_blocking_clients_have_several_servers_too(toys):
    nobody = f"grpc://127.0.0.1:{misbehaving.refusing_port()}"
    with Client(",".join([nobody, *urls(toys, "grpc")])) as client:
        items = [NOISE[:n] for n in range(100, 120)]
        outcomes = client.transcribe_many(items, model="toy", sample_rate=16_000)
        assert [each.transcript.text for each in outcomes] == [str(n) for n in range(100, 120)]
        with client.stream(model="toy_stream") as session:
            session.send(NOISE[:SECOND])
            assert session.finish().text == letters(SECOND)


segments = st.lists(st.tuples(st.integers(20, 300), st.integers(20, 300)), min_size=1, max_size=8)


@given(segments, st.data())
def test_segments_that_are_heard_anew_are_told_once(lengths, data):
    """A VAD that begins anew in a pause, or within what it told, adds only what it did not."""
    whole, now = [], 0
    for pause, length in lengths:
        whole.append((10 * (now + pause), 10 * (now + pause + length)))
        now += pause + length
    heard_ms = data.draw(st.integers(0, now)) * 10
    back_ms = data.draw(st.integers(0, heard_ms // 10)) * 10
    told = ToldSegments()
    before = [(s, e if e <= heard_ms else -1) for s, e in whole if s <= heard_ms]
    told.note(before)
    opened_ms = told.open_ms
    if opened_ms is not None:
        back_ms = min(back_ms, opened_ms)
    again = [(max(s, back_ms) - back_ms, e - back_ms) for s, e in whole if e > back_ms]
    rows = told.new(again, back_ms, 10 * now, is_last=True)
    assert joined([*before, *rows]) == whole


def joined(rows: list[tuple[int, int]]) -> list[tuple[int, int]]:
    """Segments of rows that say starts and ends apart."""
    ends = [bound for row in rows for bound in row if bound != -1]
    return list(zip(ends[::2], ends[1::2], strict=True))


def test_a_segment_is_ended_with_the_file_though_the_other_vad_has_not_heard_it():
    told = ToldSegments()
    told.note([(500, -1)])
    assert told.new([], 0, 2000, is_last=True) == [(-1, 2000)]
    assert told.new([], 0, 2000, is_last=False) == []
