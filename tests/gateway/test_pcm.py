"""Live PCM: pieces of any size, headers anywhere, resampling, a bounded queue."""

from __future__ import annotations

import asyncio
import contextlib
import io

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_client import AudioError, load_audio
from asr_gateway.live.inbox import MAX_PIECE_SAMPLES, MAX_WAITING_SAMPLES, AudioInbox

SAMPLES = (np.arange(2000) * 7 % 4001 - 2000).astype("<i2")


def hear(data: bytes, sizes: list[int], rate: int = 16000) -> np.ndarray:
    """What the models get of bytes that come in pieces of these sizes."""

    async def run() -> np.ndarray:
        inbox, first, index = AudioInbox(rate, 1600), 0, 0
        while first < len(data):
            size = sizes[index % len(sizes)]
            await inbox.put(data[first : first + size])
            first, index = first + size, index + 1
        inbox.end()
        pieces = [np.zeros(0, np.float32)]
        while (piece := await inbox.take()) is not None:
            pieces.append(piece)
        return np.concatenate(pieces)

    return asyncio.run(run())


def wav(rate: int, channels: int = 1, subtype: str = "PCM_16") -> bytes:
    file = io.BytesIO()
    frames = np.repeat(SAMPLES[:, None] / 2**15, channels, 1)
    soundfile.write(file, frames, rate, format="WAV", subtype=subtype)
    return file.getvalue()


@given(st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_frames_of_any_size_give_the_same_samples(sizes):
    assert np.array_equal(hear(SAMPLES.tobytes(), sizes) * 2**15, SAMPLES)


@given(st.lists(st.integers(1, 60), min_size=1, max_size=5), st.sampled_from([1, 2]))
def test_a_wav_header_is_read_wherever_frames_end(sizes, channels):
    data = wav(8000, channels)
    assert np.array_equal(hear(data, sizes), load_audio(data))


@pytest.mark.parametrize("subtype", ["PCM_16", "PCM_24", "FLOAT", "ULAW", "PCM_U8"])
@pytest.mark.parametrize("size", [1, 999])
def test_a_socket_gets_what_a_file_does(subtype, size):
    data = wav(22050, 2, subtype)
    assert np.array_equal(hear(data, [size]), load_audio(data))


@given(st.lists(st.integers(1, 700), min_size=1, max_size=5), st.integers(1, 9))
def test_a_header_before_every_piece_is_no_sound(sizes, pieces):
    cuts = np.array_split(SAMPLES, pieces)
    for stated in (None, 0, 0xFFFFFFFF):
        data = b""
        for cut in cuts:
            one = bytearray(wav(16000)[:44])
            one[40:44] = (cut.nbytes if stated is None else stated).to_bytes(4, "little")
            data += bytes(one) + cut.tobytes()
        assert np.array_equal(hear(data, sizes) * 2**15, SAMPLES)


@given(st.integers(0, 4000))
def test_a_header_of_the_first_piece_hides_nothing(stated):
    header = bytearray(wav(16000)[:44])
    header[4:8] = (36 + stated).to_bytes(4, "little")
    header[40:44] = stated.to_bytes(4, "little")
    assert np.array_equal(hear(bytes(header) + SAMPLES.tobytes(), [600]) * 2**15, SAMPLES)


@pytest.mark.parametrize("subtype", ["IMA_ADPCM", "GSM610"])
def test_codecs_are_refused(subtype):
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 8000, format="WAV", subtype=subtype)
    with pytest.raises(AudioError, match="header of a codec"):
        hear(file.getvalue(), [4000])


@given(st.binary(max_size=300))
def test_anything_behind_riff_is_read_or_refused(data):
    with contextlib.suppress(AudioError):
        hear(b"RIFF" + data + data, [100])


def test_the_inbox_gives_pieces_and_then_none():
    async def run() -> list[int]:
        inbox, sizes = AudioInbox(16000, 3200), []
        for _ in range(34):
            await inbox.put(np.zeros(480, "<i2").tobytes())
        inbox.end()
        while (piece := await inbox.take()) is not None:
            sizes.append(piece.size)
        assert inbox.received_samples == sum(sizes)
        return sizes

    # What waits is joined, but for what is more than a second.
    assert asyncio.run(run()) == [MAX_PIECE_SAMPLES, 34 * 480 - MAX_PIECE_SAMPLES]


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


@pytest.mark.parametrize("is_array", [False, True])
def test_a_frame_of_minutes_waits_outside(is_array):
    """A second of it at a time becomes samples."""

    async def run() -> None:
        inbox = AudioInbox(16000, 3200)
        frame = np.zeros(300 * 16000, np.float32 if is_array else "<i2")
        putting = asyncio.create_task(inbox.put(frame if is_array else frame.tobytes()))
        taken = 0
        while not putting.done():
            await asyncio.sleep(0)
            assert 16000 * inbox.waiting_s <= MAX_WAITING_SAMPLES + 16000
            piece = await inbox.take()
            taken += piece.size
        inbox.end()
        while (piece := await inbox.take()) is not None:
            taken += piece.size
        assert taken == frame.size

    asyncio.run(run())


def test_nothing_of_a_frame_is_lost_where_the_end_comes_meanwhile():
    """As where the gateway stops: what it has read is heard."""
    samples = np.resize(SAMPLES, 20 * 8000 + 123)

    async def run() -> np.ndarray:
        inbox = AudioInbox(8000, 1600)
        putting = asyncio.create_task(inbox.put(samples.tobytes()))
        await asyncio.sleep(0)
        assert not putting.done()
        inbox.end()
        pieces = []
        await putting
        while (piece := await inbox.take()) is not None:
            pieces.append(piece)
        return np.concatenate(pieces)

    assert asyncio.run(run()).size == 2 * samples.size


def test_an_empty_utterance_ends():
    async def run() -> None:
        inbox = AudioInbox(16000, 1600)
        inbox.end()
        assert await inbox.take() is None

    asyncio.run(run())
