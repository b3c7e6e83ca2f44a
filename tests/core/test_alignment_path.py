"""The best path of a text through frames: what every path's score says, found by trying all."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_core.alignment import Heard, PathOptions, Stretch, best_paths

BLANK = 0
VOCABULARY = 4


@st.composite
def stretches(draw) -> tuple[Stretch, np.ndarray]:
    """A stretch with random scores, few words and few frames."""
    seed = draw(st.integers(0, 2**31))
    frames = draw(st.integers(0, 6))
    words = draw(st.lists(st.integers(1, 2), max_size=3))
    rng = np.random.default_rng(seed)
    tokens = rng.integers(1, VOCABULARY, sum(words)).tolist()
    scores = np.log(rng.dirichlet(np.full(VOCABULARY, 0.5), frames) + 1e-3)
    scores = scores.reshape(frames, VOCABULARY).astype(np.float32)
    return make_stretch(scores, tokens, np.cumsum(words).tolist()), scores


def make_stretch(scores: np.ndarray, tokens: list[int], word_ends: list[int]) -> Stretch:
    best = scores.max(axis=1, initial=-np.inf)
    return Stretch(scores[:, tokens], scores[:, BLANK], best, tokens, word_ends)


def best_score(one: Stretch, options: PathOptions) -> float:
    """The score of the best path, by a recursion over all places of all frames."""
    begins = [0, *one.word_ends][:-1]
    ends = [0, *one.word_ends]

    @cache
    def best(frame: int, place: int, in_token: bool) -> float:
        """Score of the frames from `frame` on, when the one before was at this place."""
        found = []
        if frame == len(one.blank_scores):
            if place == len(one.tokens) - in_token:
                return 0.0
        else:
            gap = place + in_token
            sound = float(one.blank_scores[frame])
            if gap in ends:
                sound = max(sound, float(one.best_scores[frame]) - options.other_sound)
            found.append(sound + best(frame + 1, gap, False))
            following = [place] if in_token else []
            if gap < len(one.tokens) and not (in_token and one.tokens[gap] == one.tokens[place]):
                following.append(gap)
            found += [
                float(one.token_scores[frame, token]) + best(frame + 1, token, True)
                for token in following
            ]
        gap = place + in_token
        if gap in begins and gap < len(one.tokens):
            after = one.word_ends[begins.index(gap)]
            found.append(best(frame, after, False) - options.left_out)
        return max(found, default=-np.inf)

    return best(0, 0, False)


def path_score(one: Stretch, words: list[Heard | None], options: PathOptions) -> float:
    """The best score of a path with the tokens where they are said to be."""
    begins = [0, *one.word_ends][:-1]
    score, at = 0.0, 0

    def silence(until: int, between: bool) -> float:
        scores = one.blank_scores[at:until].astype(np.float64)
        if between:
            scores = np.maximum(scores, one.best_scores[at:until] - options.other_sound)
        return float(scores.sum())

    for first, word in zip(begins, words, strict=True):
        if word is None:
            score -= options.left_out
            continue
        for offset, (start, end) in enumerate(word.token_frames):
            assert at <= start < end
            score += silence(start, offset == 0)
            score += float(one.token_scores[start:end, first + offset].sum(dtype=np.float64))
            at = end
    return score + silence(len(one.blank_scores), True)


OPTIONS = PathOptions(left_out=2.0, other_sound=0.5)


@given(st.lists(stretches(), min_size=1, max_size=3))
def test_the_path_is_the_best_of_all(drawn):
    many = [one for one, _ in drawn]
    for one, words in zip(many, best_paths(many, OPTIONS), strict=True):
        assert path_score(one, words, OPTIONS) == pytest.approx(best_score(one, OPTIONS), abs=1e-3)


@given(st.lists(stretches(), min_size=1, max_size=3))
def test_a_stretch_is_aligned_by_itself(drawn):
    many = [one for one, _ in drawn]
    assert best_paths(many, OPTIONS) == [best_paths([one], OPTIONS)[0] for one in many]


def test_a_repeated_token_needs_a_gap():
    scores = np.log(np.full((3, 2), 0.5, np.float32))
    one = make_stretch(scores, [1, 1], [2])
    (word,) = best_paths([one], PathOptions(left_out=100.0))[0]
    assert word.token_frames == ((0, 1), (2, 3))
