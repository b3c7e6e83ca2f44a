"""Streaming without a server: requests, answers put together, live audio in pieces."""

from __future__ import annotations

import json

import numpy as np
import pytest
import soxr
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client import AudioError, OptionError, ProtocolError, ServerError, ServerNotReady
from asr_client.audio.resampling import MAX_PIECE_S, StreamResampler
from asr_client.errors import SessionLimitReached
from asr_client.streaming.audio import LiveReader, Outbox
from asr_client.streaming.protocol import (
    SequenceRequests,
    StreamTranscript,
    UpdateReader,
    new_sequence_id,
    opening_failure,
)
from tests.odd_containers import wav, wav_form

REQUESTS = SequenceRequests("toy")


def strings(*values: str) -> np.ndarray:
    return np.array([[value.encode() for value in values]], np.object_).reshape(1, -1)


def answer(new: str, text: str | None = None, *, first_ms: int = 0, final: bool = False):
    """An answer whose tokens are the characters of the new text, 60 ms each."""
    times = [[first_ms + 60 * i, first_ms + 60 * i + 60] for i in range(len(new))]
    return {
        "TRANSCRIPTS": strings(new),
        "TEXT": strings(text if text is not None else new),
        "TOKENS": strings(*new),
        "TIMESTAMPS": np.array(times, np.int32).reshape(1, -1, 2),
        "CONFIDENCE": np.full((1, len(new)), 0.5, np.float32),
        "IS_FINAL": np.array([[final]]),
    }


def audio(samples: int, *, end: bool = False):
    return REQUESTS.audio(np.zeros(samples, np.float32), end=end)


def test_the_requests_of_a_session():
    requests = SequenceRequests("m", (0, 8, 4))
    start, middle, end = requests.start(), requests.audio(np.ones(3, np.float32)), requests.end()
    for request, samples in ((start, 0), (middle, 3), (end, 0)):
        assert request.model_name == "m"
        assert request.inputs["WAV"].shape == (1, samples)
        assert request.inputs["WAV"].dtype == np.float32
        assert request.inputs["WAV_LENS"].tolist() == [[samples]]
        assert request.inputs["WAV_LENS"].dtype == np.int32
        assert request.step.sequence_id == requests.sequence_id
    assert [(r.step.start, r.step.end) for r in (start, middle, end)] == [
        (True, False),
        (False, False),
        (False, True),
    ]
    assert [r.parameters for r in (start, middle, end)] == [{"chunk_size": "0,8,4"}, {}, {}]
    assert SequenceRequests("m").start().parameters == {}


def test_sequence_ids_are_63_bits_and_do_not_meet():
    ids = {new_sequence_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert all(0 < number < 2**63 for number in ids)
    assert max(ids) > 2**60


@pytest.mark.parametrize(
    "chunk_size", [(5, 10), (5, 10, 5, 1), "5,10,5", (5, 10.0, 5), (True,) * 3]
)
def test_a_chunk_size_of_another_form_is_refused(chunk_size):
    with pytest.raises(OptionError, match="three whole numbers"):
        SequenceRequests("m", chunk_size)


def test_answers_are_put_together():
    transcript = StreamTranscript("m")
    transcript.accept(audio(960), answer("", "你"))
    assert (transcript.text, transcript.final_text, transcript.partial_text) == ("你", "", "你")
    transcript.accept(audio(1600), answer("你好", "你好世"))
    assert (transcript.text, transcript.partial_text) == ("你好世", "世")
    assert not transcript.is_final
    transcript.accept(audio(0, end=True), answer("吗", "你好吗", first_ms=180, final=True))
    assert transcript.is_final
    result = transcript.result()
    assert (result.text, result.tokens) == ("你好吗", ["你", "好", "吗"])
    assert result.timestamps_ms == [(0, 60), (60, 120), (180, 240)]
    assert result.confidence == [0.5] * 3
    assert (result.duration_s, result.model) == (0.16, "m")


def test_a_server_that_only_has_transcripts_is_understood():
    transcript = StreamTranscript("m")
    transcript.accept(audio(10), {"TRANSCRIPTS": strings("你")})
    transcript.accept(audio(10, end=True), {"TRANSCRIPTS": strings("好")})
    assert (transcript.text, transcript.partial_text, transcript.is_final) == ("你好", "", True)
    assert transcript.result().tokens == []


def test_tokens_without_times_have_none_in_the_end():
    transcript = StreamTranscript("m")
    transcript.accept(audio(10), answer("a"))
    without = {"TRANSCRIPTS": strings("b"), "TEXT": strings("ab"), "TOKENS": strings("b")}
    transcript.accept(audio(10), without)
    transcript.accept(audio(0, end=True), answer("c", "abc", final=True))
    result = transcript.result()
    assert (result.tokens, result.timestamps_ms, result.confidence) == (list("abc"), None, None)


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        ({}, "expected the output TRANSCRIPTS"),
        (answer("a", "ba"), "TEXT: expected it to begin with 'a'; got 'ba'"),
        (answer("a", final=True), "IS_FINAL: expected False"),
        ({**answer("a"), "IS_FINAL": np.array([[0]])}, "IS_FINAL: expected BOOL"),
        ({**answer("a"), "IS_FINAL": np.array([[True] * 2])}, "IS_FINAL: expected BOOL"),
        ({**answer("a"), "TIMESTAMPS": np.zeros((1, 2, 2), np.int32)}, "TIMESTAMPS"),
    ],
)
def test_an_answer_of_another_kind_is_named_and_changes_nothing(outputs, message):
    transcript = StreamTranscript("m")
    with pytest.raises(ProtocolError, match=message):
        transcript.accept(audio(10), outputs)
    assert (transcript.text, transcript.tokens, transcript.acknowledged_samples) == ("", [], 0)


def test_the_last_answer_must_be_final_and_hold_nothing_back():
    with pytest.raises(ProtocolError, match="IS_FINAL: expected True"):
        StreamTranscript("m").accept(audio(0, end=True), answer("a"))
    with pytest.raises(ProtocolError, match="expected 'a' at the end; got 'ab'"):
        StreamTranscript("m").accept(audio(0, end=True), answer("a", "ab", final=True))


@given(
    pieces=st.lists(st.text("ab c", max_size=3), min_size=1, max_size=12),
    held=st.lists(st.text("xy", max_size=2), min_size=12, max_size=12),
    reads=st.sets(st.integers(0, 11)),
)
def test_updates_joined_are_the_whole_however_seldom_one_reads(pieces, held, reads):
    transcript = StreamTranscript("m")
    reader = UpdateReader(transcript)
    updates = []
    settled = ""
    for index, (piece, partial) in enumerate(zip(pieces, held, strict=False)):
        last = index == len(pieces) - 1
        settled += piece
        text = settled + ("" if last else partial)
        transcript.accept(audio(100, end=last), answer(piece, text, final=last))
        if index in reads or last:
            update = reader.read()
            if update is not None:
                updates.append(update)
                assert update.text == text
                assert update.partial_text == text[len(settled) :]
                assert update.acknowledged_s == (index + 1) * 100 / 16000
            assert reader.read() is None
    assert "".join(update.new_text for update in updates) == transcript.result().text == settled
    assert [token for update in updates for token in update.tokens] == transcript.tokens
    assert [t for update in updates for t in update.timestamps_ms] == transcript.timestamps_ms
    assert [update.is_final for update in updates] == [False] * (len(updates) - 1) + [True]
    assert json.loads(json.dumps(updates[-1].to_dict()))["partial_text"] == ""


def test_the_session_limit_is_told_apart():
    limit = ServerNotReady("m: 64 sessions are open", server_message="64 sessions are open")
    assert type(opening_failure(limit)) is SessionLimitReached
    for other in (ServerError("m: boom", server_message="boom"), ServerError("sessions")):
        assert opening_failure(other) is other


@given(st.lists(st.integers(0, 400), max_size=30), st.integers(1, 300))
def test_the_outbox_keeps_the_order_and_joins_up_to_a_limit(sizes, limit):
    samples = np.arange(sum(sizes), dtype=np.float32)
    outbox, position = Outbox(), 0
    for size in sizes:
        outbox.put(samples[position : position + size])
        position += size
        assert outbox.samples == position
    taken = []
    while outbox.samples:
        taken.append(outbox.take(limit))
    assert all(len(piece) == limit for piece in taken[:-1])
    np.testing.assert_array_equal(np.concatenate([samples[:0], *taken]), samples)
    assert outbox.take(limit).size == 0
    outbox.put(samples)
    outbox.clear()
    assert outbox.samples == 0


def test_the_outbox_does_not_keep_the_callers_buffer():
    buffer, outbox = np.ones(4, np.float32), Outbox()
    outbox.put(buffer)
    buffer[:] = 2
    assert outbox.take(9).tolist() == [1, 1, 1, 1]


@given(
    rate=st.sampled_from([8000, 11025, 22050, 24000, 44100, 48000, 96000]),
    sizes=st.lists(st.integers(0, 3000), min_size=1, max_size=20),
    seed=st.integers(0, 9),
)
@settings(max_examples=40)
def test_resampling_in_pieces_is_resampling_the_whole(rate, sizes, seed):
    noise = np.random.default_rng(seed).uniform(-1, 1, sum(sizes)).astype(np.float32)
    resampler, pieces, position = StreamResampler(), [], 0
    for size in sizes:
        pieces += resampler.convert(noise[position : position + size], rate)
        position += size
    joined = np.concatenate([*pieces, resampler.flush()])
    whole = soxr.resample(noise, rate, 16000, quality="HQ")
    assert joined.dtype == np.float32
    assert abs(len(joined) - len(whole)) <= 1
    count = min(len(joined), len(whole))
    np.testing.assert_allclose(joined[:count], whole[:count], atol=1e-4)


def test_16_khz_passes_unchanged_and_a_change_of_rate_joins():
    noise = np.random.default_rng(0).uniform(-1, 1, 16000).astype(np.float32)
    resampler = StreamResampler()
    np.testing.assert_array_equal(np.concatenate([*resampler.convert(noise, 16000)]), noise)
    parts = [*resampler.convert(noise, 8000), *resampler.convert(noise, 16000), resampler.flush()]
    joined = np.concatenate(parts)
    assert abs(len(joined) - 48000) <= 1
    np.testing.assert_array_equal(joined[-16000:], noise)


def test_a_long_array_comes_in_pieces():
    pieces = list(StreamResampler().convert(np.zeros(13 * 16000, np.float32), 16000))
    assert [len(piece) / 16000 for piece in pieces] == [MAX_PIECE_S, MAX_PIECE_S, 3]


def live(audio) -> np.ndarray:
    """What the models get of one piece of live audio."""
    reader = LiveReader()
    pieces = [*reader.read(audio, 16000), *reader.finish()]
    return np.concatenate(pieces) if pieces else np.zeros(0, np.float32)


def test_every_form_of_live_audio():
    frames = np.array([0, 16384, -32768], np.int16)
    for audio in (frames, frames.tobytes(), bytearray(frames.tobytes()), frames[:, None]):
        np.testing.assert_array_equal(live(audio), [0, 0.5, -1])
    np.testing.assert_array_equal(live(memoryview(frames.tobytes())), [0, 0.5, -1])
    np.testing.assert_array_equal(live(np.array([[1.0, 0.0]])), [0.5])  # one stereo frame
    for empty in (b"", np.zeros(0, np.float32), np.zeros((0, 2), np.int16)):
        assert live(empty).shape == (0,)


def test_half_a_sample_is_refused():
    LiveReader().check(b"1234", 16000)
    with pytest.raises(AudioError, match="whole 16-bit samples; got 3 bytes"):
        LiveReader().check(b"123", 16000)


def test_pieces_of_a_file_of_samples_may_have_any_size():
    frames = np.arange(-3000, 3000, dtype=np.int16)
    data = wav(wav_form(1, 16000, 1, 16), frames.tobytes(), before=b"LIST\1\0\0\0x")
    for size in (7, 45, 4001):
        reader, heard = LiveReader(), []
        for first in range(0, len(data), size):
            reader.check(data[first : first + size], 16000)
            heard += reader.read(data[first : first + size], 16000)
        heard += reader.finish()
        np.testing.assert_array_equal(np.concatenate(heard), frames / np.float32(2**15))


@pytest.mark.parametrize("beginning", [b"ID3\4", b"OggS", b"fLaC", b"\2#!SILK_V3", b"\0\0\0 ftyp"])
def test_a_file_of_a_codec_is_no_live_audio(beginning):
    with pytest.raises(AudioError, match="begins as a file of a codec does"):
        LiveReader().check(beginning.ljust(400, b"\1"), 16000)


@pytest.mark.parametrize(
    ("audio", "message"),
    [
        ("a.wav", "got str"),
        ([0.0, 1.0], "got list"),
        (np.zeros((2, 500), np.float32), "looks transposed"),
        (np.zeros((2, 2, 2), np.float32), "expected shape"),
        (np.array([np.inf, 0]), "NaN or infinite"),
        (np.array([3000.0]), "peak of 3000"),
        (np.zeros(3, np.int64), "int64"),
    ],
)
def test_live_audio_that_cannot_be_used_is_refused(audio, message):
    with pytest.raises(AudioError, match=message):
        live(audio)
