"""From words and frames to times: spelling, cuts of long recordings, boundaries, requests."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import sentencepiece
from hypothesis import given
from hypothesis import strategies as st

from asr_core.alignment import (
    NOT_WRITABLE,
    AlignmentService,
    CtcAligner,
    Frames,
    TextSpeller,
    cut,
    word_spans,
)
from asr_core.sensevoice import TOKENIZER_NAME
from asr_core.sensevoice.ctc import CtcToken
from asr_server.models import KINDS

BLANK = 0


@pytest.fixture(scope="module")
def tokenizer():
    path = KINDS["sensevoice"].embedded / TOKENIZER_NAME
    return sentencepiece.SentencePieceProcessor(model_file=str(path))


def spoken(tokenizer, words: list[str], gap: int = 3) -> tuple[Frames, list[int]]:
    """Frames in which a model is sure of the tokens of words, one after the other."""
    best: list[int] = []
    starts: list[int] = []
    spelled = TextSpeller(tokenizer)(words)
    for token, (first, _) in zip(spelled.tokens, spelled.words, strict=True):
        best += [BLANK] * gap
        if first == len(starts):
            starts.append(len(best))
        best.append(token)
    best += [BLANK] * gap
    ids = np.array(best, np.int32)
    others = np.where(ids == BLANK, 7, BLANK).astype(np.int32)
    candidates = np.stack([ids, others], axis=1)
    scores = np.tile(np.log(np.array([0.97, 1e-5], np.float32)), (len(ids), 1))
    return Frames(candidates, scores), starts


def loud(frames: Frames) -> np.ndarray:
    return np.full(len(frames.candidate_ids) * 6, -20.0, np.float32)


ENGLISH = [
    *("what", "is", "the", "weather", "like", "in", "london", "today"),
    *("please", "open", "the", "window", "and", "coffee", "john"),
]


def test_words_are_where_their_tokens_are(tokenizer):
    frames, starts = spoken(tokenizer, ENGLISH)
    words = CtcAligner(tokenizer)(ENGLISH, frames, loud(frames))
    assert all(word.confidence > 0.9 for word in words)
    for word, following, start in zip(words, words[1:], starts, strict=False):
        assert word.start_ms <= start * 60 + 30 <= word.end_ms + 60
        assert word.end_ms <= following.start_ms


def test_a_word_that_is_not_said_is_marked_and_harms_no_other(tokenizer):
    frames, _ = spoken(tokenizer, ENGLISH)
    aligner = CtcAligner(tokenizer)
    without = aligner(ENGLISH, frames, loud(frames))
    for place in range(len(ENGLISH) + 1):
        text = [*ENGLISH[:place], "airport", *ENGLISH[place:]]
        words = aligner(text, frames, loud(frames))
        assert words.pop(place).confidence == 0
        assert words == without


def test_one_sound_is_not_two_words_because_those_between_them_are_left_out(tokenizer):
    """A sound of several frames, and a word that the text has twice and the audio once."""
    words = ["四", "十", "二", "九", "二"]
    frames, _ = spoken(tokenizer, words[:3])
    longer = np.repeat(np.arange(len(frames)), np.where(frames.candidate_ids[:, 0] == BLANK, 1, 3))
    frames = Frames(frames.candidate_ids[longer], frames.candidate_scores[longer])
    confidence = [w.confidence for w in CtcAligner(tokenizer)(words, frames, loud(frames))]
    assert [each > 0.9 for each in confidence] == [True, True, True, False, False]


def test_what_is_said_beside_the_text_is_passed_over(tokenizer):
    frames, _ = spoken(tokenizer, ENGLISH)
    text = ENGLISH[:4] + ENGLISH[9:]
    words = CtcAligner(tokenizer)(text, frames, loud(frames))
    whole = CtcAligner(tokenizer)(ENGLISH, frames, loud(frames))
    assert all(word.confidence > 0.9 for word in words)
    assert words[0].start_ms == whole[0].start_ms
    assert words[-1].end_ms == whole[-1].end_ms


def test_a_word_that_the_vocabulary_cannot_write_takes_the_time_between_its_neighbours(tokenizer):
    frames, _ = spoken(tokenizer, ENGLISH)
    text = [*ENGLISH[:3], "Ωμέγα", *ENGLISH[4:]]
    words = CtcAligner(tokenizer)(text, frames, loud(frames))
    assert words[3].confidence == NOT_WRITABLE
    assert words[2].end_ms == words[3].start_ms < words[3].end_ms <= words[4].start_ms


def test_of_a_text_that_the_vocabulary_cannot_write_nothing_is_known(tokenizer):
    frames, _ = spoken(tokenizer, ENGLISH)
    words = CtcAligner(tokenizer)(["Ωμέγα", "Άλφα"], frames, loud(frames))
    assert [word.confidence for word in words] == [NOT_WRITABLE] * 2
    assert 0 <= words[0].start_ms < words[0].end_ms <= words[1].start_ms < words[1].end_ms


def test_a_cut_alignment_is_the_uncut_one(tokenizer):
    rng = np.random.default_rng(1)
    text = [str(word) for word in rng.choice(ENGLISH, 300)]
    frames, _ = spoken(tokenizer, text, gap=2)
    text = [*text[:100], *("airport", "news", "taxi"), *text[100:]]
    whole = CtcAligner(tokenizer, piece_cells=10**9)(text, frames, loud(frames))
    pieces = CtcAligner(tokenizer, piece_cells=5_000)(text, frames, loud(frames))
    assert pieces == whole
    assert sum(word.confidence == 0 for word in whole) == 3


def test_a_text_that_has_nothing_to_do_with_the_recording_is_marked_all(tokenizer):
    frames, _ = spoken(tokenizer, ENGLISH)
    words = CtcAligner(tokenizer)(["airport"] * 50, frames, loud(frames))
    assert max(word.confidence for word in words) < 1e-4


@given(st.data())
def test_pieces_cover_frames_and_tokens_once_and_cut_at_words(data):
    ids = data.draw(st.lists(st.integers(1, 5), max_size=60))
    text = data.draw(st.one_of(st.just(ids), st.lists(st.integers(1, 5), max_size=60)))
    begins = [0, *sorted(data.draw(st.sets(st.integers(1, 60), max_size=40)))]
    heard = [CtcToken(token, 3 * n, 3 * n + 1, 0.0) for n, token in enumerate(ids)]
    pieces = list(cut(heard, 3 * len(ids), text, begins, 50))
    assert pieces[0].start_frame == pieces[0].first == 0
    assert (pieces[-1].end_frame, pieces[-1].last) == (3 * len(ids), len(text))
    for piece, following in pairwise(pieces):
        assert piece.end_frame == following.start_frame
        assert piece.last == following.first
        assert following.first in begins


def test_a_pause_ends_one_word_and_begins_the_next():
    levels = np.full(200, -20.0, np.float32)
    levels[60:120] = -70.0
    spans = word_spans(["one", "two"], [(5, 6), (21, 22)], levels)
    assert abs(spans[0][1] - 600) <= 20
    assert abs(spans[1][0] - 1200) <= 20


def test_words_beside_the_text_belong_to_no_word_of_it():
    levels = np.full(600, -20.0, np.float32)
    levels[60:100] = -70.0  # other words come, and a longer pause among them
    levels[200:280] = -70.0
    levels[480:500] = -70.0
    (_, end_ms), (start_ms, _) = word_spans(["one", "two"], [(5, 6), (86, 87)], levels)
    assert abs(end_ms - 600) <= 20
    assert abs(start_ms - 5000) <= 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"CANDIDATE_SCORES": np.zeros((3, 2), np.float32)}, "CANDIDATE_SCORES"),
        ({"CANDIDATE_IDS": np.zeros((4, 0), np.int32)}, "CANDIDATE"),
        ({"LEVELS": np.zeros(1000, np.float32)}, "LEVELS"),
        ({"LEVELS": np.full(24, np.nan, np.float32)}, "finite"),
        ({"WORDS": np.array([b"\xff"], object)}, "UTF-8"),
        ({"WORDS": np.array([b"a"] * 6, object)}, "at most 5"),
        (
            {
                name: np.zeros((100, 1), kind)
                for name, kind in (("CANDIDATE_IDS", np.int32), ("CANDIDATE_SCORES", np.float32))
            },
            "at most 2 s",
        ),
    ],
)
def test_a_wrong_request_is_told_what_is_wrong(tokenizer, change, message):
    service = AlignmentService(CtcAligner(tokenizer), max_audio_s=2, max_words=5)
    inputs = {
        "WORDS": np.array([b"open"], object),
        "CANDIDATE_IDS": np.zeros((4, 2), np.int32),
        "CANDIDATE_SCORES": np.zeros((4, 2), np.float32),
        "LEVELS": np.zeros(24, np.float32),
    }
    assert service.answer(inputs)["TIMESTAMPS"].shape == (1, 2)
    with pytest.raises(ValueError, match=message):
        service.answer({**inputs, **change})


def test_nothing_to_align_is_no_error(tokenizer):
    service = AlignmentService(CtcAligner(tokenizer), max_audio_s=2, max_words=5)
    empty = {
        "WORDS": np.array([b"open"], object),
        "CANDIDATE_IDS": np.zeros((0, 2), np.int32),
        "CANDIDATE_SCORES": np.zeros((0, 2), np.float32),
        "LEVELS": np.zeros(0, np.float32),
    }
    answer = service.answer(empty)
    assert answer["TIMESTAMPS"].tolist() == [[0, 0]]
    assert answer["CONFIDENCE"].tolist() == [0.0]
