"""Recordings on a websocket: what reaches the SDK's file pipeline."""

from __future__ import annotations

import asyncio
import gc
import io
import sys
import tempfile

import numpy as np
import pytest
import soundfile
from hypothesis import given
from hypothesis import strategies as st

from asr_client import FileOptions
from asr_gateway.funasr.recorded import Recording, TooMuchAudio

SAMPLES = (np.arange(2000) * 7 % 4001 - 2000).astype("<i2")
OPTIONS = FileOptions("paraformer", hotwords="王芳", timestamps=False, in_flight=7)


class FilePipeline:
    """Stands in for the client: keeps the file's bytes and the options that it is given."""

    def file_transcription(self, path, options, owner):
        self.data, self.options = path.read_bytes(), options
        return self

    async def __aenter__(self):
        return self

    async def __aexit__(self, *_):
        pass

    async def result(self):
        return "the transcript"


def recorded(data: bytes, sizes: list[int], rate: int | None) -> FilePipeline:
    """Put the data in pieces of these sizes."""
    pipeline, first, index = FilePipeline(), 0, 0
    with Recording(rate or 16_000, is_file=rate is None, max_bytes=1_000_000) as recording:
        while first < len(data):
            size = sizes[index % len(sizes)]
            recording.put(data[first : first + size])
            first, index = first + size, index + 1
        assert asyncio.run(recording.transcribe(pipeline, OPTIONS)) == "the transcript"
    return pipeline


def test_what_was_broken_off_can_be_asked_again():
    with Recording(16_000, is_file=False, max_bytes=1_000_000) as recording:
        recording.put(SAMPLES.tobytes())
        first, again = FilePipeline(), FilePipeline()
        for pipeline in (first, again):
            assert asyncio.run(recording.transcribe(pipeline, OPTIONS)) == "the transcript"
    assert first.data == again.data


@given(st.lists(st.integers(1, 700), min_size=1, max_size=5))
def test_our_header_is_one_that_others_read(sizes):
    pipeline = recorded(SAMPLES.tobytes(), sizes, 22050)
    data, rate = soundfile.read(io.BytesIO(pipeline.data), dtype="int16")
    assert rate == 22050 and np.array_equal(data, SAMPLES)
    assert len(pipeline.data) == 44 + SAMPLES.nbytes


def test_options_travel_whole():
    assert recorded(SAMPLES.tobytes(), [100], 16_000).options is OPTIONS


@pytest.mark.parametrize("kind", ["WAV", "FLAC", "OGG", "AIFF"])
@pytest.mark.parametrize("rate", [None, 8000])
def test_a_file_stays_as_it_is(rate, kind):
    file = io.BytesIO()
    soundfile.write(file, SAMPLES, 16_000, format=kind)
    assert recorded(file.getvalue(), [3, 1], rate).data == file.getvalue()


def test_a_client_that_goes_leaves_nothing(tmp_path, monkeypatch, recwarn):
    gc.collect()  # what others have left
    recwarn.clear()
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    with Recording(16_000, is_file=False, max_bytes=1_000) as recording:
        recording.put(bytes(100))
        assert [*tmp_path.iterdir()]
    del recording
    gc.collect()
    assert not [*tmp_path.iterdir()]
    assert not recwarn.list


@pytest.mark.filterwarnings("ignore::ResourceWarning")  # which says what the test does
def test_a_recording_that_nobody_closes_ends_quietly(monkeypatch):
    """As a task does that is still there when the gateway ends."""
    said: list[object] = []
    monkeypatch.setattr(sys, "unraisablehook", said.append)
    recording = Recording(16_000, is_file=False, max_bytes=1_000)
    recording.put(bytes(100))
    circle: list[object] = [recording]
    circle.append(circle)
    del recording, circle
    gc.collect()
    assert not said


def test_two_bytes_are_a_recording_and_fewer_are_none():
    assert len(recorded(b"ab", [1], 16_000).data) == 46
    with Recording(16_000, is_file=False, max_bytes=10) as recording:
        recording.put(b"a")
        assert asyncio.run(recording.transcribe(FilePipeline(), OPTIONS)) is None
        with pytest.raises(TooMuchAudio, match="at most 10 bytes"):
            recording.put(bytes(10))
