"""What clients of FunASR's servers do that its documents do not say, and what they get for it."""

from __future__ import annotations

import asyncio
import io
import json

import numpy as np
import pytest
import soundfile

from asr_contract import SAMPLE_RATE
from tests.gateway.gateways import (
    END,
    FRAME,
    begin,
    client_of,
    pcm,
    recognise,
    replies,
    running_gateway,
    spoken_pcm,
    texts,
)

AUDIO = spoken_pcm(2)
SPEECH = AUDIO[: len(AUDIO) - 3 * SAMPLE_RATE]  # without the silence behind the last word


@pytest.fixture(scope="module")
def expected(gateway):
    """The sentences of the audio."""
    return texts(asyncio.run(recognise(gateway, AUDIO)), "2pass-offline")


def sentences(received: list[dict]) -> list[str]:
    return texts(received, "2pass-offline")


@pytest.mark.parametrize("audio", [AUDIO, SPEECH])
def test_who_takes_the_final_message_gets_the_last_sentence(gateway, expected, audio):
    received = asyncio.run(recognise(gateway, audio))
    *before, last = received
    assert last["is_final"] and not any(reply["is_final"] for reply in before)
    assert last["text"] == sentences(received)[-1]
    assert {"timestamp", "stamp_sents", "start_time", "end_time", "index"} <= set(last)
    assert len(sentences(received)) == len(expected)


def test_a_file_that_is_called_samples_is_decoded_or_told(gateway):
    file, samples = io.BytesIO(), np.frombuffer(AUDIO, "<i2")
    soundfile.write(file, samples, SAMPLE_RATE, format="FLAC")
    received = asyncio.run(recognise(gateway, file.getvalue(), mode="offline", wav_format="pcm"))
    asked = asyncio.run(recognise(gateway, AUDIO, mode="offline", wav_format="pcm"))
    assert texts(received, "offline") == texts(asked, "offline") != [""]
    live = asyncio.run(recognise(gateway, file.getvalue(), wav_format="pcm"))
    assert "begins as a file does" in live[-1]["warning"]
    assert "warning" not in asyncio.run(recognise(gateway, AUDIO))[-1]


@pytest.mark.parametrize("audio", [AUDIO, SPEECH])
def test_who_takes_the_final_message_gets_the_last_words(gateway, audio):
    received = asyncio.run(recognise(gateway, audio, mode="online"))
    *before, last = received
    assert last["is_final"] and last["text"] and last["mode"] == "online"
    assert before and not any(reply["is_final"] for reply in before)


def test_a_closing_message_is_empty_where_all_was_said_before(gateway):
    """The speaker is silent for a while: the sentence has come, and cannot come again."""

    async def run() -> list[dict]:
        async with client_of(gateway) as socket:
            await socket.send(begin())
            for first in range(0, len(AUDIO), FRAME):
                await socket.send(AUDIO[first : first + FRAME])
            received = []
            while len(sentences(received)) < 2:
                received.append(json.loads(await socket.recv()))
            await socket.send(END)
            return received + await replies(socket)

    received = asyncio.run(run())
    assert len(sentences(received)) == 2
    assert received[-1]["is_final"] and received[-1]["text"] == ""
    assert [reply["is_final"] for reply in received].count(True) == 1


def test_a_file_that_comes_at_once_has_partial_texts_before_each_sentence(gateway, expected):
    for frame in (FRAME, len(AUDIO)):

        async def run(frame: int = frame) -> list[dict]:
            async with client_of(gateway) as socket:
                await socket.send(begin())
                for first in range(0, len(AUDIO), frame):
                    await socket.send(AUDIO[first : first + frame])
                await socket.send(END)
                return await replies(socket)

        received = asyncio.run(run())
        assert sentences(received) == expected
        heard: dict[int, str] = {}
        for reply in received:
            if reply["mode"] == "2pass-online":
                heard[reply["index"]] = heard.get(reply["index"], "") + reply["text"]
            elif reply["text"]:
                assert len(heard[reply["index"]]) >= 3, received  # before it, and most of it


@pytest.mark.parametrize("wav_format", ["wav", "WAV", "s16le", "pcm16", "mp3", "others", ""])
@pytest.mark.parametrize("mode", ["offline", "2pass"])
def test_samples_without_a_header_are_heard_whatever_they_are_called(
    gateway, expected, wav_format, mode
):
    received = asyncio.run(recognise(gateway, AUDIO, wav_format=wav_format, mode=mode))
    assert "".join(reply["text"] for reply in received if "online" not in reply["mode"]) == (
        "".join(expected)
    )
    assert received[-1]["is_final"] and "warning" not in received[-1]


def test_samples_at_another_rate_without_a_header(gateway):
    samples = np.frombuffer(AUDIO, "<i2").reshape(-1, 2).mean(1).astype("<i2")
    received = asyncio.run(
        recognise(gateway, samples.tobytes(), wav_format="wav", audio_fs=8000, mode="offline")
    )
    assert len(received[0]["text"]) >= 10


def test_what_is_neither_a_file_nor_samples_has_no_text_and_a_warning(gateway):
    noise = np.random.default_rng(5).bytes(50_000)
    flac = io.BytesIO()
    soundfile.write(flac, np.frombuffer(AUDIO, "<i2"), SAMPLE_RATE, format="FLAC")
    for data in (
        noise,
        flac.getvalue()[5000:],
        b"no audio at all, but a long text. " * 999,
    ):
        (reply,) = asyncio.run(recognise(gateway, data, wav_format="wav", mode="offline"))
        assert reply["text"] == "" and reply["is_final"]
        assert "expected audio" in reply["warning"]
        for inside in ("/tmp", "triton-asr", "Pcm(", "file object"):
            assert inside not in reply["warning"]


@pytest.mark.parametrize("chunk_size", [[5, 8, 4], [8, 8, 4], [5, 20, 5], "0,9,4", [1, 2, 3]])
@pytest.mark.parametrize("mode", ["online", "2pass"])
def test_chunk_sizes_that_are_not_served_take_the_nearest(gateway, expected, mode, chunk_size):
    received = asyncio.run(recognise(gateway, AUDIO, mode=mode, chunk_size=chunk_size))
    assert "chunk_size" in received[-1]["warning"] and "nearest" in received[-1]["warning"]
    assert not any("error" in reply for reply in received)
    if mode == "2pass":
        assert sentences(received) == expected
    else:
        assert len("".join(texts(received, "online"))) >= 10


def test_a_recording_has_no_use_for_a_chunk_size(gateway):
    (reply,) = asyncio.run(recognise(gateway, AUDIO, mode="offline", chunk_size=[5, 8, 4]))
    assert reply["text"] and "warning" not in reply


async def early(gateway, first: str, *, is_end: bool) -> list[dict]:
    """Replies to audio that comes before the first message."""
    async with client_of(gateway) as socket:
        middle = len(AUDIO) // 2
        for part in (AUDIO[:middle], AUDIO[middle:]):
            await socket.send(part)
        await socket.send(first)
        if not is_end:
            await socket.send(END)
        return await replies(socket)


def test_audio_before_the_first_message_counts_in_a_recording(gateway, triton_url, expected):
    received = asyncio.run(early(gateway, begin(mode="offline"), is_end=False))
    assert [reply["text"] for reply in received] == ["".join(expected)]
    with running_gateway(triton_url, service="offline") as offline:  # as FunASR's offline server
        received = asyncio.run(early(offline, END, is_end=True))
        assert [reply["text"] for reply in received] == ["".join(expected)]


def test_audio_before_the_first_message_is_skipped_in_a_stream_and_said_to_be(gateway, expected):
    async def run() -> list[dict]:
        async with client_of(gateway) as socket:
            await socket.send(pcm(np.random.default_rng(1).uniform(-1, 1, 4000)))
            await socket.send(begin())
            await socket.send(AUDIO)
            await socket.send(END)
            return await replies(socket)

    received = asyncio.run(run())
    assert sentences(received) == expected
    assert "8000 bytes of audio came before" in received[-1]["warning"]
    received = asyncio.run(early(gateway, END, is_end=True))
    assert [reply["text"] for reply in received] == [""]
    assert "before the first JSON message" in received[-1]["warning"]


def test_languages_in_any_form(gateway):
    audio = spoken_pcm(1, "yue")
    texts_of = {
        word: asyncio.run(recognise(gateway, audio, mode="offline", svs_lang=word))[0]["text"]
        for word in ("yue", "Cantonese", "zh-HK")
    }
    assert len(set(texts_of.values())) == 1 and "" not in texts_of.values()
