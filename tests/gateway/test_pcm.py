"""Live PCM: pieces of any size, headers, resampling, a bounded queue."""

from __future__ import annotations

import asyncio
import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_gateway.funasr.inbox import MAX_WAITING_SAMPLES, AudioInbox
from asr_gateway.funasr.pcm import PcmError, PcmReader

SAMPLES = (np.arange(2000) * 7 % 4001 - 2000).astype("<i2")


def read_samples(data: bytes, sizes: list[int], rate: int = 16000) -> tuple[np.ndarray, PcmReader]:
    """The samples of the first channel, and the reader."""
    reader, samples, first, index = PcmReader(rate), [], 0, 0
    while first < len(data):
        size = sizes[index % len(sizes)]
        samples.append(reader.read(data[first : first + size])[:, 0])
        first, index = first + size, index + 1
    return np.concatenate(samples), reader


def wav(rate: int, channels: int = 1, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    frames = np.repeat(SAMPLES[:, None], channels, 1)
    soundfile.write(file, frames, rate, format="WAV", subtype=subtype)
    return file.getvalue()


@given(st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_frames_of_any_size_give_the_same_samples(sizes):
    samples, _ = read_samples(SAMPLES.tobytes(), sizes)
    assert np.array_equal(samples, SAMPLES)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.sampled_from([1, 2]))
def test_a_wav_header_is_read_wherever_frames_end(sizes, channels):
    samples, reader = read_samples(wav(8000, channels), sizes)
    assert np.array_equal(samples, SAMPLES)
    assert reader.sample_rate == 8000


@pytest.mark.parametrize("subtype", ["PCM_24", "FLOAT", "ULAW"])
def test_other_formats_are_refused_by_name(subtype):
    with pytest.raises(PcmError, match="16-bit PCM"):
        PcmReader(16000).read(wav(16000, subtype=subtype))


@given(st.binary(max_size=300))
def test_anything_behind_riff_is_read_or_refused(data):
    reader = PcmReader(16000)
    try:
        reader.read(b"RIFF" + data)
        reader.read(data)
    except PcmError:
        pass


def test_the_inbox_gives_pieces_and_then_none():
    async def run() -> list[int]:
        inbox, sizes = AudioInbox(16000, 3200), []
        for _ in range(0, 16000, 480):
            await inbox.put(np.zeros(480, "<i2").tobytes())
        inbox.end()
        while (piece := await inbox.take()) is not None:
            sizes.append(piece.size)
        assert inbox.received_samples == sum(sizes) == 34 * 480
        return sizes

    assert len(asyncio.run(run())) == 1  # what waits is joined


def test_the_inbox_resamples_as_one_stream():
    async def run() -> int:
        inbox, total = AudioInbox(8000, 1600), 0
        for _ in range(100):
            await inbox.put(np.zeros(80, "<i2").tobytes())
        inbox.end()
        while (piece := await inbox.take()) is not None:
            total += piece.size
        return total

    assert asyncio.run(run()) == 16000


def test_a_full_inbox_makes_the_sender_wait():
    async def run() -> None:
        inbox = AudioInbox(16000, 1600)
        second = np.zeros(16000, "<i2").tobytes()
        for _ in range(MAX_WAITING_SAMPLES // 16000):
            await inbox.put(second)
        putting = asyncio.create_task(inbox.put(second))
        await asyncio.sleep(0)
        assert not putting.done()
        await inbox.take()
        await putting

    asyncio.run(run())


def test_an_empty_utterance_ends():
    async def run() -> None:
        inbox = AudioInbox(16000, 1600)
        inbox.end()
        assert await inbox.take() is None

    asyncio.run(run())
