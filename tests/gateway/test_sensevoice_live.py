"""SenseVoice while somebody speaks: through the SDK, the websocket and the Realtime API."""

from __future__ import annotations

import asyncio
import difflib
import itertools

import numpy as np
import pytest
import soxr

from asr_client import AsyncClient, Client, ClientClosed, ConnectionFailed
from asr_client.files import recognised_segment
from asr_client.streaming.growing import GrowingText
from asr_contract import SAMPLE_RATE
from tests.gateway.gateways import recognise, running_gateway, spoken_pcm, texts, wav_of
from tests.gateway.realtime_client import COMPLETED, DELTA, of_type, realtime
from tests.recordings import heldout

LANGUAGES = ("zh", "en", "yue", "ja", "ko")
FRAME = 3200  # samples; 200 ms
PER_MS = SAMPLE_RATE // 1000


def samples_of(audio: bytes) -> np.ndarray:
    return np.frombuffer(audio, "<i2").astype(np.float32) / 32768


def offline_texts(client: Client, samples: np.ndarray, sentences) -> list[str]:
    """What the model says of each sentence's own audio."""
    pieces = [samples[each.start_ms * PER_MS : each.end_ms * PER_MS] for each in sentences]
    return [client.transcribe(piece, sample_rate=SAMPLE_RATE).text for piece in pieces]


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_session_gives_each_stretch_as_the_offline_model_does(triton_url, language):
    audio = spoken_pcm(3, language)
    finals: list[str] = []
    with Client(triton_url) as client, client.stream(model="sensevoice") as session:
        for first in range(0, len(audio), 2 * FRAME):
            session.send(audio[first : first + 2 * FRAME])
            finals.append(session.final_text)
        result = session.finish()
        sentences = session.sentences
        assert session.sentences and result.text == session.final_text
        samples = samples_of(audio)
        assert [each.text for each in sentences] == offline_texts(client, samples, sentences)
        whole = client.transcribe_file(wav_of(samples))
    assert result.text == whole.text
    assert {each.language for each in sentences} <= {*LANGUAGES, "nospeech"}
    assert all(result.text.startswith(final) for final in finals)
    assert result.duration_s == pytest.approx(len(audio) / 32000)
    assert len(result.tokens) == len(result.timestamps_ms)


def test_updates_of_the_asynchronous_session_join_to_its_text(triton_url):
    audio = spoken_pcm(2)

    async def run() -> None:
        async with AsyncClient(triton_url) as client, client.stream(model="sensevoice") as session:
            is_shown = asyncio.Event()

            async def read() -> str:
                new = ""
                async for update in session.updates():
                    new += update.new_text
                    if update.partial_text:
                        is_shown.set()
                    assert update.text.startswith(update.final_text)
                return new

            reading = asyncio.create_task(read())
            middle = len(audio) // 5 // 2 * 2  # within the first utterance
            await session.send(audio[:middle])
            await is_shown.wait()
            assert session.partial_text and not session.final_text
            await session.send(audio[middle:])
            result = await session.finish()
            assert await reading == result.text and result.language == "zh"

    asyncio.run(run())


def test_a_server_that_is_away_is_told_when_a_session_opens():
    with Client("grpc://127.0.0.1:9", timeout_s=2) as client:
        session = client.stream(model="sensevoice")
        with pytest.raises(ConnectionFailed):
            session.open()
        with pytest.raises(ClientClosed, match="not open"):
            session.send(b"\0\0")
        session.close()


def test_silence_and_nothing_are_sessions_too(triton_url):
    with Client(triton_url) as client:
        for audio in (b"", bytes(2), bytes(64000)):
            with client.stream(model="sensevoice") as session:
                session.send(audio)
                result = session.finish()
            assert (result.text, result.tokens, session.sentences) == ("", [], [])
            assert result.duration_s == pytest.approx(len(audio) / 32000)
            assert session.finish() == result  # it may be asked for again
            with pytest.raises(ClientClosed):
                session.send(audio)


def test_a_session_that_is_left_early_ends(triton_url):
    audio = spoken_pcm(1)

    async def run() -> None:
        async with AsyncClient(triton_url) as client:
            async with client.stream(model="sensevoice") as session:
                await session.send(audio)
                updates = [update async for update in partial_updates(session)]
                assert not any(update.is_final for update in updates)
            with pytest.raises(ClientClosed):
                await session.finish()
            async with client.stream(model="sensevoice") as session:
                await session.send(audio)
            assert [update async for update in session.updates() if update.is_final] == []

    async def partial_updates(session):
        async for update in session.updates():
            yield update
            return

    asyncio.run(run())


@pytest.mark.parametrize("rate", [8000, 48000])
def test_other_rates_and_paraformer(triton_url, rate):
    samples = soxr.resample(samples_of(spoken_pcm(1)), SAMPLE_RATE, rate)
    with Client(triton_url) as client, client.stream(model="paraformer") as session:
        for first in range(0, samples.size, rate // 3):
            session.send(samples[first : first + rate // 3], sample_rate=rate)
        assert session.finish().text


def test_words_that_are_shown_for_a_second_change_in_few_cases(triton_url):
    """At the clock of the audio; each language, single utterances and joined ones."""

    async def words_of(client, samples, offset_ms):
        transcript = await client.transcribe(samples, sample_rate=SAMPLE_RATE, itn=False)
        spoken = recognised_segment(transcript, offset_ms, offset_ms + samples.size // PER_MS)
        return spoken.words if spoken is not None else []

    async def history_of(client, samples) -> list[tuple[int, list[str], list[str]]]:
        text, history, decoded = GrowingText(), [], 0
        for heard in range(FRAME, samples.size + 1, FRAME):
            heard_ms = heard // PER_MS
            if text.is_due(heard_ms):
                window = samples[text.window_ms * PER_MS : heard]
                decoded += window.size
                text.accept(await words_of(client, window, text.window_ms), heard_ms)
                committed = [word.text for word in text.committed]
                shown = [word.text for word in text.shown]
                history.append((heard_ms, committed, committed + shown))
        assert decoded <= 8 * samples.size
        final = [word.text for word in await words_of(client, samples, 0)]
        return [*history, (samples.size // PER_MS + 800, final, final)]

    def drawn(seed: int) -> list:
        rng, recordings = np.random.default_rng(seed), []
        for language in LANGUAGES:
            spoken = [each for name, text, each in heldout() if name == language and text]
            for count in (1, 3, 1, 3):
                parts = [spoken[at] for at in rng.integers(len(spoken), size=count)]
                recordings.append(np.concatenate(parts))
        return recordings

    async def run() -> tuple[int, int, int]:
        shown = changed = 0
        uncommitted = 0
        async with AsyncClient(triton_url) as client:
            for seed in (1, 2, 3):
                for history in await asyncio.gather(
                    *(history_of(client, samples) for samples in drawn(seed))
                ):
                    for (_, before, _), (_, after, _) in itertools.pairwise(history[:-1]):
                        assert after[: len(before)] == before
                    shown += len(history[-1][2])
                    changed += changes([(at, text) for at, _, text in history])
                    uncommitted += changes([(at, text) for at, text, _ in history])
        return shown, changed, uncommitted

    shown, changed, uncommitted = asyncio.run(run())
    assert shown > 600
    assert changed < 0.02 * shown, (changed, shown)
    assert uncommitted < 0.01 * shown, (uncommitted, shown)


def changes(history: list[tuple[int, list[str]]]) -> int:
    """How many words that were shown for a second or longer are gone in what follows."""
    current: list[tuple[str, int]] = []
    gone = 0
    for at_ms, words in history:
        matcher = difflib.SequenceMatcher(a=[word for word, _ in current], b=words, autojunk=False)
        kept, since = set(), [at_ms] * len(words)
        for block in matcher.get_matching_blocks():
            for offset in range(block.size):
                kept.add(block.a + offset)
                since[block.b + offset] = current[block.a + offset][1]
        gone += sum(
            at not in kept and at_ms - shown_ms >= 1000 for at, (_, shown_ms) in enumerate(current)
        )
        current = list(zip(words, since, strict=True))
    return gone


@pytest.mark.parametrize("language", ["en", "ja"])
def test_the_websocket_gives_sensevoice_in_both_passes(gateway, language):
    audio = spoken_pcm(2, language)
    received = asyncio.run(recognise(gateway, audio, online_model="sensevoice"))
    sentences = [reply for reply in received if reply["mode"] == "2pass-offline" and reply["text"]]
    plain = asyncio.run(recognise(gateway, audio))
    assert texts(received, "2pass-offline") == texts(plain, "2pass-offline")
    assert {reply["language"] for reply in sentences} == {language}
    assert texts(received, "2pass-online")
    wrong = asyncio.run(recognise(gateway, audio, online_model="whisper"))
    assert "online_model: expected" in wrong[0]["error"]


def test_the_gateway_needs_no_streaming_model_then(triton_url):
    audio = spoken_pcm(2)
    with running_gateway(triton_url, online_model="sensevoice") as gateway:
        online = texts(asyncio.run(recognise(gateway, audio, mode="online")), "online")
        assert "streaming" not in str(gateway.server.gateway.settings.online_model)
    with Client(triton_url) as client:
        said = client.transcribe_file(wav_of(samples_of(audio)), itn=False).text
    similar = difflib.SequenceMatcher(a="".join(online).replace(" ", ""), b=said.replace(" ", ""))
    assert similar.ratio() > 0.9  # each word once, to the last


def test_the_realtime_api_with_sensevoice_by_name(gateway):
    async def run() -> list[dict]:
        async with realtime(gateway) as session:
            await session.configure(
                format={"type": "audio/pcm", "rate": SAMPLE_RATE},
                transcription={"model": "sensevoice", "language": "ko"},
            )
            await session.append(spoken_pcm(1, "ko") + bytes(64000), 2 * SAMPLE_RATE)
            return await session.until(COMPLETED)

    events = asyncio.run(run())
    assert events[-1]["languages"] == [{"code": "ko"}] and of_type(events, DELTA)
