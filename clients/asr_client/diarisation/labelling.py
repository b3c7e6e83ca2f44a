"""Tells of sentences and words whose they are; a change of speakers inside a sentence splits it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from itertools import groupby

from ..confidence import geometric_mean
from ..results import Sentence, SpeakerTurn, Word
from ..text.alignment import text_units
from .turns import Timeline

FEWEST_WORDS = 2
"""Of a speaker inside a sentence; fewer go with the words before, as times are never so exact."""


def label_sentences(sentences: Iterable[Sentence], turns: Sequence[SpeakerTurn]) -> list[Sentence]:
    """Give each sentence and each word the speaker of its time.

    Args:
        sentences: in order.
        turns: in order; without any, sentences stay as they are.
    """
    timeline = Timeline(turns)
    return [part for sentence in sentences for part in _parts(sentence, timeline)]


def _parts(sentence: Sentence, timeline: Timeline) -> list[Sentence]:
    """Return the stretches of a sentence that one speaker each says."""
    units = text_units(sentence.text)
    if not sentence.words or len(units) != len(sentence.words):
        speaker = timeline.speaker_at((sentence.start_ms + sentence.end_ms) / 2)
        return [_said_by(sentence, speaker)]
    speakers = [timeline.speaker_at((word.start_ms + word.end_ms) / 2) for word in sentence.words]
    runs = _runs(speakers)
    if len(runs) == 1:
        return [_said_by(sentence, runs[0][0])]
    parts = []
    for number, (speaker, first, last) in enumerate(runs):
        begin = 0 if number == 0 else units[first].start
        end = len(sentence.text) if number == len(runs) - 1 else units[last].start
        words = sentence.words[first:last]
        part = replace(
            sentence,
            text=sentence.text[begin:end].strip(),
            start_ms=sentence.start_ms if number == 0 else words[0].start_ms,
            end_ms=sentence.end_ms if number == len(runs) - 1 else words[-1].end_ms,
            words=words,
            confidence=geometric_mean([word.confidence for word in words]),
        )
        parts.append(_said_by(part, speaker))
    return parts


def _runs(speakers: Sequence[str | None]) -> list[tuple[str | None, int, int]]:
    """Return (speaker, first, last + 1) of the stretches of words of one speaker."""
    runs: list[tuple[str | None, int, int]] = []
    position = 0
    for speaker, members in groupby(speakers):
        size = len(list(members))
        if runs and (size < FEWEST_WORDS or speaker == runs[-1][0]):
            runs[-1] = (runs[-1][0], runs[-1][1], position + size)
        else:
            runs.append((speaker, position, position + size))
        position += size
    if len(runs) > 1 and runs[0][2] - runs[0][1] < FEWEST_WORDS:
        runs[:2] = [(runs[1][0], 0, runs[1][2])]
    return runs


def _said_by(sentence: Sentence, speaker: str | None) -> Sentence:
    words: list[Word] = [replace(word, speaker=speaker) for word in sentence.words]
    return replace(sentence, words=words, speaker=speaker)
