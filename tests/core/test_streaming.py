"""The streaming session on FunASR's own graphs: parity, any cut, a complete end."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_contract import CHUNK_SIZES, DEFAULT_CHUNK_SIZE
from asr_core.features import KaldiNativeFbank, num_lfr_frames
from asr_core.streaming import Step, StreamingFrontend
from asr_server.install.installed import PIECE_SAMPLES as PIECE
from asr_server.install.installed import SHORTEST_LAST_PIECE as SHORTEST
from tests.funasr_reference import StreamingReference
from tests.recordings import material
from tests.serving import RANDOM_MODELS
from tests.streaming_graphs import ExportedGraphs, Session

MODELS = sorted(path.name for path in RANDOM_MODELS.glob("paraformer_online-*"))

FBANK = KaldiNativeFbank()


@pytest.fixture(scope="module")
def tiny():
    return ExportedGraphs(RANDOM_MODELS / MODELS[-1])


@pytest.fixture(scope="module")
def speech():
    """The first 20 s of the material."""
    return material()[: 20 * 16_000]


def recognise(graphs, pieces, chunk_size=DEFAULT_CHUNK_SIZE) -> str:
    """Text of a stream that arrives in `pieces`, the last of which ends it."""
    session = Session(graphs.recogniser(), FBANK, chunk_size)
    for piece in pieces[:-1]:
        session.send(piece)
    last = session.send(pieces[-1], is_final=True)
    text = "".join(update.new_text for update in session.updates)
    assert text == last.text
    return text


def cut(samples, points):
    return np.split(samples, sorted(points))


@pytest.mark.parametrize("model", MODELS)
def test_parity_at_every_length_modulo_a_chunk(model, speech):
    """Each remainder of 160 samples, with 0 to 3 full pieces before; each in two requests."""
    graphs = ExportedGraphs(RANDOM_MODELS / model)
    reference = StreamingReference(RANDOM_MODELS / model)
    texts = set()
    for index, last in enumerate([*range(SHORTEST, PIECE + 1, 160), SHORTEST + 1, PIECE - 1]):
        start = 1000 * index
        samples = speech[start : start + PIECE * (index % 4) + last]
        expected = reference.text(samples)
        assert recognise(graphs, cut(samples, [len(samples) // 3])) == expected, (index, last)
        texts.add(expected)
    assert len(texts) > 20


def test_end_without_audio_equals_end_with_it(tiny, speech):
    """The last full piece was decoded as one of many before the end was known."""
    for last in (PIECE, PIECE - 1, PIECE - 80, PIECE - 81, 960, 5000, 6000):
        samples = speech[: PIECE + last]
        assert recognise(tiny, [samples, samples[:0]]) == recognise(tiny, [samples])


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_text_does_not_depend_on_the_cuts(tiny, speech, data):
    length = data.draw(st.integers(0, 40_000))
    points = data.draw(st.lists(st.integers(0, length), max_size=30))
    size = data.draw(st.sampled_from(CHUNK_SIZES))
    samples = speech[:length]
    assert recognise(tiny, cut(samples, points), size) == recognise(tiny, [samples], size)


@settings(max_examples=60, deadline=None)
@given(length=st.integers(0, 60_000), size=st.sampled_from(CHUNK_SIZES))
def test_every_row_counts_once(speech, length, size):
    """Each 60 ms of audio lies in the middle of exactly one window, whatever the remainder."""
    windows = StreamingFrontend(FBANK, size).accept(speech[:length], is_final=True)
    counted = windows.positions[:, size.left : size.left + size.current]
    num_rows = num_lfr_frames(len(FBANK(speech[:length])))
    assert sorted(counted[counted > 0]) == list(range(1, num_rows + 1))


def test_streams_do_not_disturb_each_other(tiny, speech):
    """Many streams advanced together, in batches of several lengths, give what each gives alone."""
    recogniser = tiny.recogniser(max_batch_size=3)
    recordings = [speech[1000 * i : 1000 * i + 7000 * (i + 1) + 123 * i] for i in range(6)]
    frontends = [StreamingFrontend(FBANK, DEFAULT_CHUNK_SIZE) for _ in recordings]
    streams = [recogniser.open(DEFAULT_CHUNK_SIZE) for _ in recordings]
    texts = [""] * len(recordings)
    for start in range(0, len(recordings[-1]), PIECE):
        turn = [i for i, samples in enumerate(recordings) if start < len(samples)]
        steps = []
        for i in turn:
            is_final = start + PIECE >= len(recordings[i])
            windows = frontends[i].accept(recordings[i][start : start + PIECE], is_final)
            steps.append(Step(streams[i], windows, is_final))
        for i, update in zip(turn, recogniser.advance(steps), strict=True):
            texts[i] += update.new_text
    assert texts == [recognise(tiny, [samples]) for samples in recordings]
    assert any(texts)


def test_small_pieces_cost_no_more_windows(speech):
    graphs = ExportedGraphs(RANDOM_MODELS / MODELS[-1])
    samples = speech[: 5 * PIECE]
    costs = []
    for piece in (960, PIECE, len(samples)):
        graphs.windows_encoded = 0
        recognise(graphs, cut(samples, range(piece, len(samples), piece)))
        costs.append(graphs.windows_encoded)
    assert costs == [6, 6, 6]


@pytest.mark.parametrize("length", [0, 1, 399])
def test_audio_shorter_than_a_frame_is_empty(tiny, length):
    assert recognise(tiny, [np.zeros(length, np.float32)]) == ""


@pytest.mark.parametrize("count", [1, 9, 10, 11, 25])
def test_a_stream_remembers_the_last_columns(tiny, count):
    """As many as the cache has, in their order; what the window's batch had besides is let go."""
    stream = tiny.recogniser().open(DEFAULT_CHUNK_SIZE)
    before = stream.cache + np.arange(-10, 0, dtype=np.float32)[:, None, None]
    stream.cache = before
    batch = np.zeros((2, 30, *before.shape[1:]), np.float32)
    batch[1, :count] += np.arange(count, dtype=np.float32)[:, None, None]
    stream.remember(batch[1, :count])
    assert stream.cache.shape == before.shape
    assert (stream.cache == np.arange(count - 10, count)[:, None, None]).all()
    assert not np.shares_memory(stream.cache, batch)


def test_times_are_ordered_and_inside_the_stream(tiny, speech):
    samples = speech[:48_000]
    session = Session(tiny.recogniser(), FBANK, DEFAULT_CHUNK_SIZE)
    words = []
    for piece in cut(samples, range(PIECE, len(samples), PIECE)):
        words += session.send(piece).words
    words += session.send(samples[:0], is_final=True).words
    assert words
    for word in words:
        assert word.start_ms % 60 == word.end_ms % 60 == 0
        assert 0 <= word.start_ms <= word.end_ms <= 3000 + 60
        assert 0 < word.confidence <= 1
    ends = [word.end_ms for word in words]
    assert ends == sorted(ends)
