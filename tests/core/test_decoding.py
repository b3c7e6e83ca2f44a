"""Searches over candidates against exhaustive ones, and hotwords against their definition."""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping, Sequence

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from asr_core.decoding import (
    DecodingOptions,
    HotwordScorer,
    HotwordTrie,
    JoinedScorers,
    Joints,
    PositionSearch,
    TokenScorer,
    WeighedLanguageModel,
    search_frames,
    search_positions,
)
from asr_core.sensevoice.ctc import greedy_search
from tests.core.ngram_reference import referred

VOCABULARY = 5
BLANK, SILENT = 0, 1
UNLIMITED = DecodingOptions(beam=10**6, prune=math.inf, lm_weight=0.7, insertion_bonus=0.4)
Word = tuple[int, ...]
APART = Joints()


class Bigrams:
    """A language model of random bigrams; the state is the last token."""

    def __init__(self, seed: int) -> None:
        table = np.random.default_rng(seed).uniform(0.1, 1, (VOCABULARY + 1, VOCABULARY + 1))
        self.log_probs = np.log(table / table.sum(axis=1, keepdims=True))

    def begin(self) -> int:
        return VOCABULARY

    def score(self, state: int, token_id: int) -> tuple[int, float]:
        return token_id, float(self.log_probs[state, token_id])

    def end(self, state: int) -> float:
        return float(self.log_probs[state, VOCABULARY])

    def total(self, text: Sequence[int]) -> float:
        """Score a text by its definition: all its tokens and its end, weighed."""
        joined = [VOCABULARY, *text, VOCABULARY]
        log_prob = sum(self.log_probs[one, two] for one, two in itertools.pairwise(joined))
        return float(UNLIMITED.lm_weight * log_prob + UNLIMITED.insertion_bonus * len(text))


class Ngrams:
    """A language model as `build-lm` makes one, of one to four tokens; the last token is unknown.

    Its total is by the definition of backing off, which shares no line with the scores.
    """

    def __init__(self, seed: int) -> None:
        self._referred = referred(seed % 40, ("<blank>", "<silent>", "a", "b", "c"), 2)
        model = self._referred.model
        self.begin, self.score, self.end = model.begin, model.score, model.end

    def total(self, text: Sequence[int]) -> float:
        """Score a text by its definition, weighed."""
        log_prob = self._referred.log_prob(text)
        return UNLIMITED.lm_weight * log_prob + UNLIMITED.insertion_bonus * len(text)


class Nothing:
    """A scorer that knows nothing."""

    def begin(self) -> None:
        return None

    def score(self, state: None, token_id: int) -> tuple[None, float]:
        return None, 0.0

    def end(self, state: None) -> float:
        return 0.0


def earned(
    text: Sequence[int], words: Mapping[Word, float], increment: float, joints: Joints = APART
) -> float:
    """Return what a text earns by the definition in `hotword_trie`."""

    def joined(place: int) -> bool:
        """Return whether the tokens before and at a place are of one word."""
        if not 0 < place < len(text):
            return False
        return text[place - 1] in joints.goes_on and text[place] in joints.continues

    covered: set[int] = set()
    bonus = 0.0
    for word, weight in words.items():
        for start in range(len(text) - len(word) + 1):
            end = start + len(word)
            if tuple(text[start:end]) == word and not joined(start) and not joined(end):
                covered.update(range(start, end))
                bonus += weight / 10
    return bonus + increment / 10 * len(covered)


WORDS = st.dictionaries(
    st.lists(st.integers(2, 4), min_size=1, max_size=4).map(tuple),
    st.floats(-40, 60),
    max_size=5,
)
_SOME = st.frozensets(st.integers(2, 4))
JOINTS = st.one_of(st.just(APART), st.builds(Joints, _SOME, _SOME))
INCREMENTS = st.sampled_from([0.0, 7.0, 20.0])
LANGUAGE_MODELS: st.SearchStrategy[type[Bigrams] | type[Ngrams] | None]
LANGUAGE_MODELS = st.sampled_from([None, Bigrams, Ngrams])


def grid(seed: int, length: int, width: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return random candidates, the best first."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(length, VOCABULARY)) * 2
    log_probs = logits - np.log(np.exp(logits).sum(axis=1, keepdims=True))
    ids = np.argsort(-log_probs, axis=1)[:, :width]
    return ids.astype(np.int32), np.take_along_axis(log_probs, ids, 1).astype(np.float32)


def scorer_of(
    words: Mapping[Word, float],
    increment: float,
    joints: Joints,
    language_model: Bigrams | Ngrams | None,
) -> TokenScorer:
    half = len(words) // 2
    layers = [HotwordTrie([*words.items()][:half]), HotwordTrie([*words.items()][half:])]
    hotwords = HotwordScorer(layers, increment, joints)
    if language_model is None:
        return hotwords
    return JoinedScorers(hotwords, WeighedLanguageModel(language_model, UNLIMITED))


@settings(max_examples=1000, deadline=None)
@given(st.lists(st.integers(2, 4), max_size=12), WORDS, INCREMENTS, JOINTS)
def test_hotwords_earn_what_their_definition_says(
    text: list[int], words: dict[Word, float], increment: float, joints: Joints
) -> None:
    scorer = scorer_of(words, increment, joints, None)
    state, total = scorer.begin(), 0.0
    for token in text:
        state, added = scorer.score(state, token)
        total += added
    assert total + scorer.end(state) == pytest.approx(earned(text, words, increment, joints))


@given(WORDS, WORDS)
def test_the_later_trie_decides_on_a_word_of_both(
    first: dict[Word, float], second: dict[Word, float]
) -> None:
    scorer = HotwordScorer([HotwordTrie(first.items()), HotwordTrie(second.items())], 20.0)
    for text in [*first, *second]:
        state, total = scorer.begin(), 0.0
        for token in text:
            state, added = scorer.score(state, token)
            total += added
        expected = earned(text, first | second, 20.0)
        assert total + scorer.end(state) == pytest.approx(expected)


@settings(max_examples=1000, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(0, 4),
    st.integers(1, 4),
    WORDS,
    INCREMENTS,
    JOINTS,
    LANGUAGE_MODELS,
)
def test_the_best_of_positions_is_that_of_all(
    seed: int,
    length: int,
    width: int,
    words: dict[Word, float],
    increment: float,
    joints: Joints,
    make: type[Bigrams] | type[Ngrams] | None,
) -> None:
    ids, log_probs = grid(seed, length, width)
    language_model = make(seed) if make else None
    scorer = scorer_of(words, increment, joints, language_model)
    search = PositionSearch(scorer, UNLIMITED, {SILENT})
    search.accept(ids, log_probs)
    score, tokens = search.best(is_final=True)

    def total(choice: Sequence[int]) -> float:
        chosen = [int(row[k]) for row, k in zip(ids, choice, strict=True)]
        text = [token for token in chosen if token != SILENT]
        acoustic = sum(float(row[k]) for row, k in zip(log_probs, choice, strict=True))
        lm = language_model.total(text) if language_model else 0.0
        return acoustic + earned(text, words, increment, joints) + lm

    choices = [*itertools.product(range(width), repeat=length)]
    assert score == pytest.approx(max(map(total, choices)))
    own = [row.tolist().index(token) for row, (token, _) in zip(ids, tokens, strict=True)]
    assert total(own) == pytest.approx(score)
    scores = [float(row[k]) for row, k in zip(log_probs, own, strict=True)]
    assert [log_prob for _, log_prob in tokens] == scores


@settings(max_examples=1000, deadline=None)
@given(
    st.integers(0, 10**6),
    st.integers(1, 4),
    st.integers(1, 4),
    WORDS,
    INCREMENTS,
    JOINTS,
    LANGUAGE_MODELS,
)
def test_the_best_of_frames_is_that_of_all_paths(
    seed: int,
    length: int,
    width: int,
    words: dict[Word, float],
    increment: float,
    joints: Joints,
    make: type[Bigrams] | type[Ngrams] | None,
) -> None:
    ids, log_probs = grid(seed, length, width)
    language_model = make(seed) if make else None
    scorer = scorer_of(words, increment, joints, language_model)
    path, scores = search_frames(ids, log_probs, scorer, UNLIMITED, {SILENT}, BLANK)

    def total(frames: Sequence[int], acoustic: float) -> float:
        text = [token for token, _ in itertools.groupby(frames) if token not in (BLANK, SILENT)]
        lm = language_model.total(text) if language_model else 0.0
        return acoustic + earned(text, words, increment, joints) + lm

    best = max(
        total(
            [int(row[k]) for row, k in zip(ids, choice, strict=True)],
            sum(float(row[k]) for row, k in zip(log_probs, choice, strict=True)),
        )
        for choice in itertools.product(range(width), repeat=length)
    )
    assert total(path.tolist(), float(scores.astype(float).sum())) == pytest.approx(best)
    for row, row_scores, token, score in zip(ids, log_probs, path, scores, strict=True):
        assert row_scores[row.tolist().index(token)] == score


@given(st.integers(0, 10**6), st.integers(0, 60), st.integers(1, 5))
def test_who_knows_nothing_finds_each_frames_best(seed: int, length: int, width: int) -> None:
    ids, log_probs = grid(seed, length, width)
    for scorer in (Nothing(), HotwordScorer([HotwordTrie([((9, 9), 20.0)])])):
        for found in (
            search_positions(ids, log_probs, scorer, DecodingOptions(), {SILENT}),
            search_frames(ids, log_probs, scorer, DecodingOptions(), {SILENT}, BLANK),
        ):
            np.testing.assert_array_equal(found[0], ids[:, 0])
            np.testing.assert_array_equal(found[1], log_probs[:, 0])


@settings(deadline=None)
@given(st.integers(0, 10**6), st.integers(1, 40), st.data())
def test_positions_in_pieces_give_what_one_piece_gives(
    seed: int, length: int, data: st.DataObject
) -> None:
    ids, log_probs = grid(seed, length, 4)
    options = DecodingOptions(beam=4, prune=6.0)
    scorer = HotwordScorer([HotwordTrie([((2, 3, 4), 30.0), ((3, 3), 20.0)])])
    whole = PositionSearch(scorer, options, {SILENT}, max_open=5)
    whole.accept(ids, log_probs)
    pieces = PositionSearch(scorer, options, {SILENT}, max_open=5)
    cuts = sorted(data.draw(st.lists(st.integers(0, length), max_size=6)))
    settled: list[tuple[int, float]] = []
    for start, end in itertools.pairwise([0, *cuts, length]):
        pieces.accept(ids[start:end], log_probs[start:end])
        new, still_open = pieces.take(is_final=False)
        assert len(still_open) <= 5
        settled += new
        assert pieces.best(is_final=False)[1] == settled + still_open
    last, nothing = pieces.take(is_final=True)
    assert not nothing
    assert settled + last == whole.best(is_final=True)[1]


def test_confident_blanks_are_passed_at_once_and_times_stay() -> None:
    ids = np.array([[0, 2], [2, 3], [2, 3], [0, 2], [0, 2], [0, 2], [3, 2]], np.int32)
    sure, unsure = [-0.001, -20.0], [-0.5, -1.0]
    log_probs = np.array([sure, unsure, unsure, sure, sure, sure, unsure], np.float32)
    scorer = HotwordScorer([HotwordTrie([((3, 3), 20.0)])])
    path, scores = search_frames(ids, log_probs, scorer, DecodingOptions(), (), BLANK)
    assert path.tolist() == [0, 2, 3, 0, 0, 0, 3]
    tokens = greedy_search(path, scores)
    spans = [(token.token_id, token.start_frame, token.end_frame) for token in tokens]
    assert spans == [(2, 1, 2), (3, 2, 3), (3, 6, 7)]
    assert [token.log_prob for token in tokens] == pytest.approx([-0.5, -1.0, -0.5])
