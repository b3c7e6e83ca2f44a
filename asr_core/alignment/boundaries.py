"""From the frames in which a CTC model is sure of a word to where the word begins and ends.

CTC says a token in one or two frames somewhere inside it, and nothing about its ends. They are
looked for in how loud the audio is between two words: a pause ends the one and begins the other;
without a pause the word begins where it should by the lengths of both, or in a dip near it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from asr_contract import LEVEL_MS, UNSPACED
from asr_core.features import LFR_FRAME_MS

_SMOOTHED = 3  # levels

# Fitted to espeak-ng's word times with the embedded SenseVoice (`lab.benchmark.alignment` says how
# well): where in a word its tokens are, how long syllables are, what a pause is.
_TOKEN_PLACE = 0.35  # of a word's length, from its begin
_LONGEST_SYLLABLE_MS = 220.0
_FIRST_SYLLABLE_MS = 165.0  # where no word before it tells
_LATEST_TOKEN_MS = 400.0  # behind the begin of its word, or a short word's end behind it
_PAUSE_DB = 30.0  # below the quieter of the two words
_PAUSE_LEVELS = 5
_NEAR_LEVELS = 100  # a second
_PRIOR_MS = 90.0
_DIP_DB = 5.0  # as good as one `_PRIOR_MS` nearer
_LETTERS_PER_SYLLABLE = 3.0
_AFTER_TOKEN_MS = 20  # a word ends this long behind the begin of its last token, or later

_LETTERS_OR_CHARACTER = re.compile(rf"[^\W\d_{UNSPACED}\uac00-\ud7a3]+|\S")

Span = tuple[int, int]  # begin and end


def word_spans(
    words: Sequence[str], frames: Sequence[tuple[int, int]], levels: NDArray[np.float32]
) -> list[Span]:
    """Return where words begin and end, in ms, in order and without overlap.

    Args:
        words: those that are heard.
        frames: of each, the frames [start, end) of its tokens.
        levels: float32 [L], in dB, one for each 10 ms.
    """
    if not words:
        return []
    smooth = _smoothed(levels)
    sizes = [_syllables(word) for word in words]
    tokens = [(start * LFR_FRAME_MS, end * LFR_FRAME_MS) for start, end in frames]
    starts: list[int] = []
    ends: list[int] = []
    for index, (token_start, token_end) in enumerate(tokens):
        syllable_ms, earliest, before = _FIRST_SYLLABLE_MS, 0, None
        if index:
            before = tokens[index - 1]
            earliest = before[1] - LFR_FRAME_MS + _AFTER_TOKEN_MS
            between = (1 - _TOKEN_PLACE) * sizes[index - 1] + _TOKEN_PLACE * sizes[index]
            syllable_ms = min((token_start - before[0]) / between, _LONGEST_SYLLABLE_MS)
        inside_ms = min(_TOKEN_PLACE * sizes[index] * syllable_ms, _LATEST_TOKEN_MS)
        end, start = _between(
            smooth, earliest, token_start, token_start - inside_ms, before, token_end
        )
        starts.append(start)
        if index:
            longest_ms = max(_LATEST_TOKEN_MS, sizes[index - 1] * _LONGEST_SYLLABLE_MS)
            ends.append(min(end, tokens[index - 1][1] + int(longest_ms)))
    ends.append(_last_end(smooth, tokens[-1]))
    return [(start, max(start, end)) for start, end in zip(starts, ends, strict=True)]


def _between(
    levels: NDArray[np.float64],
    earliest_ms: float,
    token_ms: float,
    expected_ms: float,
    before: Span | None,
    token_end_ms: float,
) -> Span:
    """Return where the word before ends and a word begins."""
    first = max(min(int(earliest_ms // LEVEL_MS), len(levels) - 1), 0)
    last = max(min(int((token_ms + LFR_FRAME_MS // 2) // LEVEL_MS), len(levels)), first + 1)
    section = levels[first:last]
    loud = max(section.max(initial=-np.inf), _loudest(levels, token_ms - 30, token_end_ms + 30))
    if before is not None:
        loud = min(loud, _loudest(levels, before[0], before[1] + LEVEL_MS))
    quiet = section < loud - _PAUSE_DB
    if len(section) > 2 * _NEAR_LEVELS:
        # Other words may be between the two: each pause is looked for near its own word.
        end, _ = _pause(quiet[:_NEAR_LEVELS]) or (_NEAR_LEVELS, 0)
        near = len(section) - _NEAR_LEVELS
        _, start = _pause(quiet[near:]) or (0, _cheapest(section, loud, first, expected_ms, near))
        return (first + end) * LEVEL_MS, (first + near + start) * LEVEL_MS
    if pause := _pause(quiet):
        return (first + pause[0]) * LEVEL_MS, (first + pause[1]) * LEVEL_MS
    place = (first + _cheapest(section, loud, first, expected_ms, 0)) * LEVEL_MS + LEVEL_MS // 2
    return place, place


def _pause(quiet: NDArray[np.bool_]) -> Span | None:
    """Return the longest pause [start, end) in some levels; None without one."""
    run = _longest_run(quiet)
    return run if run[1] - run[0] >= _PAUSE_LEVELS else None


def _cheapest(
    section: NDArray[np.float64], loud: float, first: int, expected_ms: float, skipped: int
) -> int:
    """Return where, behind the levels that are skipped, a word begins that no pause is before.

    Near the place that is expected, and where it is less loud.
    """
    near = section[skipped:]
    places = (first + skipped + np.arange(len(near)) + 0.5) * LEVEL_MS
    cost = (near - loud) / _DIP_DB + ((places - expected_ms) / _PRIOR_MS) ** 2
    return int(cost.argmin())


def _last_end(levels: NDArray[np.float64], token: Span) -> int:
    """Return where the last word ends: where it is quiet, or the audio ends."""
    first = max(min(int(token[1] // LEVEL_MS), len(levels)), 0)
    loud = _loudest(levels, token[0] - 30, token[1] + 30)
    (quiet,) = np.nonzero(levels[first:] < loud - _PAUSE_DB)
    longest = int(_LATEST_TOKEN_MS // LEVEL_MS)
    length = int(quiet[0]) if len(quiet) else len(levels) - first
    return (first + min(length, longest)) * LEVEL_MS


def _loudest(levels: NDArray[np.float64], start_ms: float, end_ms: float) -> float:
    first = max(int(start_ms // LEVEL_MS), 0)
    section = levels[first : max(int(end_ms // LEVEL_MS), first)]
    return float(section.max(initial=-np.inf))


def _longest_run(quiet: NDArray[np.bool_]) -> tuple[int, int]:
    """Return the longest row [start, end) of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], quiet, [False]]).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    if not len(starts):
        return 0, 0
    best = int((ends - starts).argmax())
    return int(starts[best]), int(ends[best])


def _smoothed(levels: NDArray[np.float32]) -> NDArray[np.float64]:
    if not len(levels):
        return np.zeros(1)
    padded = np.pad(levels.astype(np.float64), _SMOOTHED // 2, mode="edge")
    return np.convolve(padded, np.full(_SMOOTHED, 1 / _SMOOTHED), "valid")


def _syllables(word: str) -> float:
    """Return about how many syllables a word has."""
    return max(
        1.0,
        sum(
            max(1.0, len(part) / _LETTERS_PER_SYLLABLE)
            for part in _LETTERS_OR_CHARACTER.findall(word)
        ),
    )
