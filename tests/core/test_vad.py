"""FSMN-VAD without a server: parity with funasr_onnx, any arrival, sessions, bounded memory."""

from __future__ import annotations

import itertools
import pickle
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_core.sequences import SessionTable, Turn
from asr_core.vad import (
    VadRequest,
    VadService,
    VadStream,
    options_from_config,
    override_options,
    score_streams,
)
from asr_core.vad.detector import SegmentDetector
from asr_core.vad.frontend import frame_decibels
from asr_core.vad.options import VadOptions
from asr_core.vad.scoring import MAX_BATCH_FRAMES
from asr_server.install.funasr_vad_reference import VadReference
from lab.training.exported_graphs import ExportedVad
from tests.vad_reference import (
    TINY_VAD,
    VAD_MODELS,
    OnlineReference,
    clear_recordings,
    cut_at_random,
    join_segments,
    with_pauses,
)

OPTIONS = {
    "defaults": {},
    "short_end": {"max_end_silence_time": 200},
    "below_window": {"max_end_silence_time": 100},
    "odd_end": {"max_end_silence_time": 655},
    "long_end": {"max_end_silence_time": 2000},
    "short_segments": {"max_single_segment_time": 1500},
    "threshold": {"speech_noise_thres": 0.9},
    "low_threshold": {"speech_noise_thres": -0.3},
    "ratio": {"speech_2_noise_ratio": 0.4},
    "window": {"window_size_ms": 300, "sil_to_speech_time_thres": 80},
    "slow_silence": {"speech_to_sil_time_thres": 50},
    "lookback": {"lookback_time_start_point": 0, "lookahead_time_end_point": 300},
    "exact": {"do_extend": 0},
    "single": {"detect_mode": 0},
    "single_impatient": {"detect_mode": 0, "max_start_silence_time": 100},
}
# In a stream, FunASR takes other frames' levels for these.
LEVELS = {
    "snr": {"snr_thres": 20.0},
    "snr_memory": {"snr_thres": 10.0, "noise_frame_num_used_for_snr": 10},
    "decibel": {"decibel_thres": -15.0},
}


@pytest.fixture(scope="module", params=VAD_MODELS)
def model_dir(request):
    return VAD_MODELS[request.param]


@pytest.mark.parametrize("options", {**OPTIONS, **LEVELS}.values(), ids={**OPTIONS, **LEVELS})
def test_offline_parity(model_dir, options):
    reference, vad = VadReference(model_dir), ExportedVad(model_dir)
    found = 0
    for samples in clear_recordings(vad, 2, **options):
        expected = reference.segments(samples, **options)
        assert join_segments(vad.segments([samples], **options)) == expected
        found += len(expected)
    assert found or options.get("max_start_silence_time")


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_streaming_parity_piece_by_piece(model_dir, options):
    reference, vad = OnlineReference(model_dir), ExportedVad(model_dir)
    recordings = clear_recordings(vad, 3, **options)
    sizes = [(960, 960), (9600, 9600), (720, 30_000)]
    for samples, (shortest, longest) in zip(recordings, sizes, strict=True):
        pieces = cut_at_random(samples, np.random.default_rng(0), shortest, longest)
        assert vad.segments(pieces, **options) == reference.segments(pieces, **options)


def test_pieces_of_a_long_recording_are_those_of_the_encoder_too():
    """More frames than one run of the encoder takes."""
    vad = ExportedVad(TINY_VAD)
    samples = np.concatenate(clear_recordings(vad, 3))
    assert vad.segments([samples])[0] == VadReference(TINY_VAD).segments(samples)
    assert vad.calls > 3


@settings(max_examples=8, deadline=None)
@given(st.lists(st.integers(0, 20_000), max_size=12), st.integers(0, 2))
def test_segments_do_not_depend_on_the_pieces(sizes, seed):
    samples = with_pauses(seed)[: 10 * 16_000]
    ends = np.cumsum(sizes).clip(0, len(samples)).astype(int)
    pieces = np.split(samples, ends)
    vad = ExportedVad(TINY_VAD)
    assert join_segments(vad.segments(pieces)) == join_segments(vad.segments([samples]))


@pytest.mark.parametrize("size", [0, 1, 399, 400, 559, 560, 719, 720, 879])
def test_every_short_stream_ends(size):
    """FunASR raises below 400 samples, and in a stream below 720."""
    samples = with_pauses(0)[:size]
    vad = ExportedVad(TINY_VAD)
    for pieces in ([samples], [samples, samples[:0]], [*samples[:, None], samples[:0]]):
        assert join_segments(vad.segments(pieces)) == []


FRAMES = st.lists(st.tuples(st.integers(1, 60), st.booleans()), min_size=1, max_size=12)
DETECTOR_OPTIONS = st.builds(
    VadOptions,
    max_end_silence_time=st.integers(0, 1500),
    max_single_segment_time=st.integers(0, 3000),
    speech_to_sil_time_thres=st.integers(0, 200),
    do_extend=st.integers(0, 1),
    lookback_time_start_point=st.integers(0, 400),
    lookahead_time_end_point=st.integers(0, 400),
)


@settings(max_examples=200, deadline=None)
@given(FRAMES, DETECTOR_OPTIONS, st.data())
def test_detector_properties(runs, options, data):
    """Any cut gives the same segments; they lie in the audio, in order, each with an end."""
    probs = np.concatenate([np.full(count, 0.0 if speech else 1.0) for count, speech in runs])
    probs = probs.astype(np.float32)
    levels = np.zeros_like(probs)
    whole = SegmentDetector(options)
    whole.accept(probs, levels, is_final=True)
    segments = whole.take_segments()
    cuts = sorted(data.draw(st.lists(st.integers(0, len(probs)), max_size=5)))
    detector, answers = SegmentDetector(options), []
    for start, end in itertools.pairwise([0, *cuts, len(probs)]):
        is_final = end == len(probs)
        detector.accept(probs[start:end], levels[start:end], is_final)
        answers.append(detector.take_segments())
        if is_final:
            break
    assert join_segments(answers) == segments == join_segments([segments])
    flat = [time for segment in segments for time in segment]
    assert flat == sorted(flat)
    assert all(0 <= time <= 10 * len(probs) for time in flat)
    assert all(start < end for start, end in segments)


def test_a_segment_of_known_length():
    """2 s of speech after 1 s of silence, by hand: 0.15 s to notice, 0.2 + 0.2 s looked back."""
    probs = np.repeat([1.0, 0.0, 1.0], [100, 200, 100]).astype(np.float32)
    detector = SegmentDetector(VadOptions())
    detector.accept(probs[:114], np.zeros(114, np.float32), is_final=False)
    assert detector.take_segments() == []
    detector.accept(probs[114:200], np.zeros(86, np.float32), is_final=False)
    assert detector.take_segments() == [(1140 - 400, -1)]
    detector.accept(probs[200:], np.zeros(200, np.float32), is_final=False)
    # Of 20 frames, 15 are speech until the fifth of silence; 0.1 s more is the end.
    assert detector.take_segments() == [(-1, 3050 + 100 + 10)]


def test_certain_scores_do_no_harm():
    """FunASR takes the logarithm of both probabilities."""
    for value in (0.0, 1.0):
        detector = SegmentDetector(VadOptions())
        detector.accept(np.full(100, value, np.float32), np.zeros(100, np.float32), True)
        assert len(detector.take_segments()) == (value == 0.0)


def test_a_segment_that_begins_with_the_last_frame_ends():
    """In a stream, FunASR never gives its end."""
    probs = np.repeat([1.0, 0.0], [100, 15]).astype(np.float32)
    detector = SegmentDetector(VadOptions())
    detector.accept(probs, np.zeros(115, np.float32), is_final=True)
    assert detector.take_segments() == [(740, 1150)]


def test_decibels():
    samples = np.ones(1000, np.float32)
    np.testing.assert_allclose(frame_decibels(samples, 4), 10 * np.log10(400), rtol=1e-6)
    np.testing.assert_allclose(frame_decibels(samples * 0, 4), -60)


def test_state_does_not_grow():
    """Two minutes of a stream in small pieces: the state is never larger than in the first half."""
    vad = ExportedVad(TINY_VAD)
    stream = vad.stream()
    samples = np.concatenate([with_pauses(seed) for seed in range(4)])
    pieces = cut_at_random(np.tile(samples, 2), np.random.default_rng(0), 900, 8000)
    sizes = []
    for piece in pieces:
        stream.push(piece, is_final=False)
        score_streams([stream], vad)
        stream.take_segments()
        state = {**vars(stream), "_frontend": {**vars(stream._frontend), "_extract": None}}
        sizes.append(len(pickle.dumps(state)))
    half = len(sizes) // 2
    assert max(sizes[half:]) <= max(sizes[:half]) + 16  # counters take a byte more
    assert max(sizes) < 50_000


def test_between_requests_nothing_is_kept_of_their_audio():
    """Pickles do not show what an array without elements is a view of."""
    vad = ExportedVad(TINY_VAD)
    streams = [vad.stream() for _ in range(20)]
    samples = with_pauses(1)[:32_000]  # its frames are 300 KB
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for stream in streams:
            stream.push(samples, is_final=False)
            score_streams([stream], vad)
        kept = tracemalloc.get_traced_memory()[0] - before
    finally:
        tracemalloc.stop()
    assert kept < 50_000 * len(streams)


def test_runs_of_many_streams_are_bounded():
    vad = ExportedVad(TINY_VAD)
    streams = [vad.stream() for _ in range(12)]
    sizes = []

    def encode(speech, speech_lengths, cache):
        sizes.append(speech.shape[:2])
        return vad(speech, speech_lengths, cache)

    for stream in streams:
        stream.push(with_pauses(0)[: 12 * 16_000], is_final=True)
    score_streams(streams, encode)
    assert [rows for rows, _ in sizes[:3]] == [4] * 3
    assert max(rows * frames for rows, frames in sizes) <= MAX_BATCH_FRAMES
    assert {tuple(stream.take_segments()) for stream in streams} == {
        tuple(vad.segments([with_pauses(0)[: 12 * 16_000]])[0])
    }


def request(key, samples, starts=False, ends=False, length=None, **parameters):
    lengths = np.array([[len(samples) if length is None else length]], np.int32)
    return VadRequest(Turn(key, starts, ends, parameters), samples[None], lengths)


def sessions(vad, max_sessions=4, clock=lambda: 0.0):
    table = SessionTable(max_sessions, 10.0, clock)
    return VadService(vad.model, table, max_audio_seconds=30), table


def test_streams_share_runs_and_equal_themselves_alone():
    vad = ExportedVad(TINY_VAD)
    service, table = sessions(vad, max_sessions=0)
    recordings = [with_pauses(seed, 3) for seed in range(6)]
    rng = np.random.default_rng(5)
    cuts = [cut_at_random(samples, rng, 1, 40_000) for samples in recordings]
    answers: list[list] = [[] for _ in recordings]
    for turn in range(max(map(len, cuts))):
        live = [key for key, pieces in enumerate(cuts) if turn < len(pieces)]
        calls = vad.calls
        results = service.answer(
            [request(key, cuts[key][turn], turn == 0, turn == len(cuts[key]) - 1) for key in live],
            vad,
        )
        assert vad.calls - calls <= len(live) + 2
        for key, result in zip(live, results, strict=True):
            answers[key].append([tuple(row) for row in result.segments.tolist()])
            assert result.is_final == (turn == len(cuts[key]) - 1)
    assert len(table) == 0
    for samples, found in zip(recordings, answers, strict=True):
        assert join_segments(found) == join_segments(vad.segments([samples]))


def test_bad_requests_fail_alone_and_end_their_stream():
    vad = ExportedVad(TINY_VAD)
    service, table = sessions(vad)
    samples = with_pauses(2)[:16_000]
    bad = {
        1: (request(1, samples, True, length=99_999), "expected 0 to 16000"),
        2: (request(2, samples * np.nan, True), "NaN"),
        3: (request(3, samples, True, max_end_silence_time="soon"), "expected a whole number"),
        4: (request(4, samples), "no state for sequence 4"),
        5: (request(5, np.zeros(31 * 16_000, np.float32), True), "at most 30 s"),
    }
    good = request(9, samples, starts=True)
    answers = service.answer([good, *(entry for entry, _ in bad.values())], vad)
    assert not isinstance(answers[0], Exception)
    for answer, (_, message) in zip(answers[1:], bad.values(), strict=True):
        assert isinstance(answer, ValueError) and message in str(answer)
    assert len(table) == 1
    (error,) = service.answer([request(9, samples * np.inf)], vad)
    assert isinstance(error, ValueError) and len(table) == 0


def test_one_session_too_many_is_refused_but_whole_recordings_are_not():
    vad = ExportedVad(TINY_VAD)
    service, table = sessions(vad, max_sessions=2)
    samples = with_pauses(2)[:16_000]
    answers = service.answer([request(key, samples, starts=True) for key in range(3)], vad)
    assert isinstance(answers[2], ValueError) and "at most 2 open sessions" in str(answers[2])
    (answer,) = service.answer([request(7, samples, starts=True, ends=True)], vad)
    assert answer.is_final and len(table) == 2


def test_a_failed_encoder_ends_the_streams_of_the_call():
    vad = ExportedVad(TINY_VAD)
    service, table = sessions(vad)

    def broken(**_):
        raise RuntimeError("gone")

    samples = with_pauses(2)[:16_000]
    (answer,) = service.answer([request(1, samples, starts=True)], broken)
    assert isinstance(answer, RuntimeError) and len(table) == 0


def test_options():
    conf = {"max_end_silence_time": 500, "snr_mode": 0, "sil_pdf_ids": [0, 3], "sample_rate": 16000}
    options = options_from_config(conf)
    assert options.max_end_silence_time == 500 and options.sil_pdf_ids == (0, 3)
    changed = override_options(options, {"speech_noise_thres": "0.7", "chunk_size": "5,10,5"})
    assert changed.speech_noise_thres == 0.7 and changed.max_end_silence_time == 500
    with pytest.raises(ValueError, match="sample_rate: expected 16000"):
        options_from_config({"sample_rate": 8000})
    with pytest.raises(ValueError, match=r"model_conf\.max_silence"):
        options_from_config({"max_silence": 1})
    for value in ("x", "nan", 1.5, None, -1, 1e12):
        with pytest.raises(ValueError, match="max_end_silence_time: expected"):
            override_options(options, {"max_end_silence_time": value})


def test_streams_keep_little(model_dir):
    stream = VadStream(ExportedVad(model_dir).model, VadOptions())
    assert stream.cache.nbytes < 50_000
