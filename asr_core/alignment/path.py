"""The best path of a text through CTC frames, words left out where they are not heard.

States of a text of N tokens: each token, and a gap before the first and behind each. A frame of a
token is scored by the token, one of a gap by the blank; between words a gap takes any sound, at a
price. A path visits the tokens in order and may leave out whole words, at a price each.

    gap ─ token ─ gap ─ token ─ gap          a gap between different tokens may be left out
     └──────── a word left out ──┘

Several texts are aligned at once, each with frames of its own: the work of a frame is the same
few array operations however many there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_NEVER = -1e30


@dataclass(frozen=True)
class PathOptions:
    """Prices, in nats.

    Attributes:
        left_out: of a word that the path leaves out.
        other_sound: of a frame between two words that is not silent, less than the frame's best.
    """

    left_out: float = 6.0
    other_sound: float = 1.0


_DEFAULT_OPTIONS = PathOptions()


@dataclass(frozen=True)
class Stretch:
    """Frames, and the words that may be heard in them.

    Attributes:
        token_scores: float32 [T, N], log-probability of each token of the text in each frame.
        blank_scores: float32 [T], of the blank.
        best_scores: float32 [T], of whatever is most likely.
        tokens: N ids, those of all words in order.
        word_ends: for each word, the number of tokens up to its end; every word has a token.
    """

    token_scores: NDArray[np.float32]
    blank_scores: NDArray[np.float32]
    best_scores: NDArray[np.float32]
    tokens: Sequence[int]
    word_ends: Sequence[int]


@dataclass(frozen=True)
class Heard:
    """Where a path has a word.

    Attributes:
        token_frames: for each of its tokens, the frames [start, end).
        score: mean log-probability of the tokens in these frames.
    """

    token_frames: tuple[tuple[int, int], ...]
    score: float


def best_paths(
    stretches: Sequence[Stretch], options: PathOptions = _DEFAULT_OPTIONS
) -> list[list[Heard | None]]:
    """Align each stretch's words with its frames.

    Args:
        stretches: any number; what is found for one does not depend on the others.
        options: prices.

    Returns:
        For each stretch, where each word is heard; None for a word that the path leaves out.
    """
    lattice = _Lattice(stretches, options)
    for frame in range(max((len(one.blank_scores) for one in stretches), default=0)):
        lattice.advance(frame)
    return [lattice.trace(row) for row in range(len(stretches))]


class _Lattice:
    """Scores of all states at one frame, and how each was reached at every frame.

    Rows are padded: tokens behind a row's last are never entered from it, and frames behind its
    last are not looked at.
    """

    def __init__(self, stretches: Sequence[Stretch], options: PathOptions) -> None:
        self._stretches = stretches
        rows = len(stretches)
        frames = max((len(one.blank_scores) for one in stretches), default=0)
        width = max((len(one.tokens) for one in stretches), default=0)
        words = max((len(one.word_ends) for one in stretches), default=0)
        self._token_scores = np.full((frames, rows, width), _NEVER, np.float32)
        # Of a gap inside a word, and what one between two words has more.
        self._blank_scores = np.full((frames, rows, 1), _NEVER, np.float32)
        self._extra_scores = np.zeros((frames, rows, 1), np.float32)
        self._between = np.zeros((rows, width + 1), np.float32)
        # The gap at each boundary of words; a row's missing words all end where its last one does.
        self._boundaries = np.zeros((rows, words + 1), np.intp)
        self._direct = np.zeros((rows, width), np.bool_)
        for row, one in enumerate(stretches):
            length, count = one.token_scores.shape
            self._token_scores[:length, row, :count] = one.token_scores
            ends = np.array([0, *one.word_ends], np.intp)
            self._boundaries[row, : len(ends)] = ends
            self._boundaries[row, len(ends) :] = ends[-1]
            self._blank_scores[:length, row, 0] = one.blank_scores
            other = one.best_scores - np.float32(options.other_sound)
            self._extra_scores[:length, row, 0] = np.maximum(other - one.blank_scores, 0)
            self._between[row, ends] = 1
            tokens = np.asarray(one.tokens, np.int64)
            self._direct[row, 1:count] = tokens[1:] != tokens[:-1]
        self._prices = np.float32(options.left_out) * np.arange(words + 1, dtype=np.float32)
        self._numbers = np.arange(words + 1, dtype=np.int32)
        counts = np.array([len(one.word_ends) for one in stretches], np.int32)
        self._own = self._numbers[1:] <= counts[:, None]
        self._rows = np.arange(rows)[:, None]
        self._tokens = np.full((rows, width), _NEVER, np.float32)
        self._gaps = np.full((rows, width + 1), _NEVER, np.float32)
        self._gaps[:, 0] = 0.0
        self._token_from = np.zeros((frames, rows, width), np.uint8)  # 0 itself, 1 gap, 2 token
        self._gap_from = np.zeros((frames, rows, width + 1), np.bool_)  # from the token before it
        self._left_from = np.full((frames + 1, rows, words + 1), -1, np.int32)
        self._in_token = np.zeros((frames, rows), np.bool_)  # the last token is better than the gap
        self._leave_out(-1)

    def advance(self, frame: int) -> None:
        """Take the next frame."""
        tokens, gaps = self._tokens, self._gaps
        entering = gaps[:, :-1]
        origin = np.ones(tokens.shape, np.uint8)
        if tokens.shape[1] > 1:
            direct = np.where(self._direct[:, 1:], tokens[:, :-1], np.float32(_NEVER))
            origin[:, 1:][direct > entering[:, 1:]] = 2
            entering = entering.copy()
            np.maximum(entering[:, 1:], direct, out=entering[:, 1:])
        stays = tokens >= entering
        origin[stays] = 0
        self._token_from[frame] = origin
        ended = gaps[:, 1:] < tokens
        self._gap_from[frame, :, 1:] = ended
        self._gaps = gaps.copy()
        np.maximum(gaps[:, 1:], tokens, out=self._gaps[:, 1:])
        self._gaps += self._blank_scores[frame] + self._extra_scores[frame] * self._between
        self._tokens = np.maximum(tokens, entering) + self._token_scores[frame]
        self._leave_out(frame)
        if tokens.shape[1]:
            last = self._boundaries[:, -1:]
            ended = self._tokens[self._rows, last - 1] > self._gaps[self._rows, last]
            self._in_token[frame] = ended[:, 0]

    def _leave_out(self, frame: int) -> None:
        """Let paths that are between two words pass over words to come."""
        rows, boundaries = self._rows, self._boundaries
        here = self._gaps[rows, boundaries]
        ends = np.full(here.shape, _NEVER, np.float32)
        if here.shape[1] > 1:
            ends[:, 1:] = self._tokens[rows, boundaries[:, 1:] - 1]
        offered = np.maximum(here, ends) + self._prices
        best = np.maximum.accumulate(offered, axis=1)
        sources = np.maximum.accumulate(np.where(offered >= best, self._numbers, 0), axis=1)
        passing = best[:, :-1] - self._prices[1:]
        wins = self._own & (passing > here[:, 1:])
        left_from = self._left_from[frame + 1]
        # Twice the boundary it came from, plus one where it came from the word's last token.
        sides = np.take_along_axis(ends > here, sources, axis=1)
        left_from[:, 1:] = np.where(wins, 2 * sources[:, :-1] + sides[:, :-1], -1)
        where = np.nonzero(wins)
        self._gaps[where[0], boundaries[where[0], where[1] + 1]] = passing[where]

    def trace(self, row: int) -> list[Heard | None]:
        """Return where a row's words are, by the way that its best path came."""
        one = self._stretches[row]
        begins = [0, *one.word_ends][:-1]
        boundary_of = {end: number for number, end in enumerate([0, *one.word_ends])}
        spans: dict[int, tuple[int, int]] = {}
        frame, place = len(one.blank_scores) - 1, len(one.tokens)
        in_token = bool(frame >= 0 and self._in_token[frame, row])
        place -= in_token
        may_pass = True
        while frame >= 0 or (may_pass and not in_token):
            if in_token:
                spans[place] = (frame, spans.get(place, (0, frame + 1))[1])
                origin = self._token_from[frame, row, place]
                in_token, place, frame = origin != 1, place - (origin == 2), frame - 1
                may_pass = True
                continue
            number = boundary_of.get(place)
            left = -1
            if may_pass and number is not None:
                left = int(self._left_from[frame + 1, row, number])
            if left >= 0:
                place = [0, *one.word_ends][left // 2]
                in_token = bool(left % 2)
                place -= in_token
                may_pass = False
                continue
            if frame < 0:
                break
            in_token = bool(self._gap_from[frame, row, place])
            place -= in_token
            frame, may_pass = frame - 1, True
        _join_equal(one, spans, [*zip(begins, one.word_ends, strict=True)])
        return [
            _heard(one, spans, first, last)
            for first, last in zip(begins, one.word_ends, strict=True)
        ]


def _join_equal(
    one: Stretch, spans: dict[int, tuple[int, int]], words: Sequence[tuple[int, int]]
) -> None:
    """Remove words of one token that a path has directly behind an equal token.

    Two of a kind are two only with a blank between them; where words between them are left out a
    path needs none, and saves a price by calling one sound two words.
    """
    before: int | None = None  # the last token that is heard
    passed = False
    for first, last in words:
        if first not in spans:
            passed = True
            continue
        if before is not None and passed and last == first + 1:
            (start, end), (begin, stop) = spans[before], spans[first]
            if end == begin and one.tokens[before] == one.tokens[first]:
                spans[before] = (start, stop)
                del spans[first]
                continue
        before, passed = last - 1, False


def _heard(one: Stretch, spans: dict[int, tuple[int, int]], first: int, last: int) -> Heard | None:
    """Return where the tokens [first, last) of a word are."""
    if first not in spans:
        return None
    frames = tuple(spans[token] for token in range(first, last))
    total = sum(
        float(one.token_scores[start:end, token].sum(dtype=np.float64))
        for token, (start, end) in zip(range(first, last), frames, strict=True)
    )
    return Heard(frames, total / sum(end - start for start, end in frames))
