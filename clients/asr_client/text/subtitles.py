"""Writes sentences as subtitles (SRT, WebVTT) and as a table (TSV).

Everything takes sentences as they come and yields text as soon as it is settled, so a recording
of any length needs no more memory than a sentence.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import accumulate

from ..results import Sentence
from .alignment import Unit, text_units

# The usual limits of broadcasters: two lines of 42 letters, or of 21 Chinese characters, which
# are twice as wide.
LINE_COLUMNS = 42

# Where a reader pauses, and what belongs to the word behind it.
_CLAUSE_ENDS = tuple(",.;:!?…，。；：！？、—")
_OPENING = frozenset("\"'([{<“‘（《〈「『【¿¡")

# How far from the middle, as a share of the width, a break at a pause is better than another.
_PAUSE_BONUS = 0.25


@dataclass(frozen=True)
class Cue:
    """What is shown at a time: one or two lines, from `start_ms` to `end_ms`.

    `speaker` is whose words they are, `channel` where, if each was recognised apart.
    """

    lines: tuple[str, ...]
    start_ms: int
    end_ms: int
    channel: int | None = None
    speaker: str | None = None


def make_cues(sentences: Iterable[Sentence]) -> Iterator[Cue]:
    """Yield the cues of sentences, in order of time, none empty and none of a channel overlapping.

    A sentence that does not fit into two lines becomes several cues, split near the middle and
    at punctuation if possible, each with the time of its words. Without word times the
    sentence's time is shared by width.
    """
    latest: dict[int | None, int] = {}
    for sentence in sentences:
        latest_ms = latest.get(sentence.channel, 0)
        text = " ".join(sentence.text.split())
        units = text_units(text)
        timed = len(units) == len(sentence.words)
        length_ms = max(sentence.end_ms - sentence.start_ms, 0)
        for first, last in _pieces(text, units):
            start_ms = sentence.start_ms + length_ms * _columns(text[:first]) // _columns(text)
            end_ms = sentence.start_ms + length_ms * _columns(text[:last]) // _columns(text)
            inside = [k for k, unit in enumerate(units) if unit.end > first and unit.start < last]
            if timed and inside:
                start_ms = sentence.words[inside[0]].start_ms
                end_ms = sentence.words[inside[-1]].end_ms
            if first == 0:
                start_ms = min(start_ms, sentence.start_ms)
            if last == len(text):
                end_ms = max(end_ms, sentence.end_ms)
            start_ms = max(start_ms, latest_ms)
            latest_ms = max(end_ms, start_ms + 1)  # players drop cues without length
            latest[sentence.channel] = latest_ms
            lines = _lines(text[first:last])
            yield Cue(lines, start_ms, latest_ms, sentence.channel, sentence.speaker)


def srt(sentences: Iterable[Sentence]) -> Iterator[str]:
    """Yield the parts of a SubRip file: one cue each, with its number and the blank line."""
    for number, cue in enumerate(make_cues(sentences), 1):
        # SubRip cannot escape anything; only its arrow would break the file.
        text = marked(re.sub("-+->", "->", "\n".join(cue.lines)), cue)
        times = f"{_clock(cue.start_ms, ',')} --> {_clock(cue.end_ms, ',')}"
        yield f"{number}\n{times}\n{text}\n\n"


def vtt(sentences: Iterable[Sentence]) -> Iterator[str]:
    """Yield the parts of a WebVTT file: the header, then one cue each."""
    yield "WEBVTT\n\n"
    for cue in make_cues(sentences):
        text = _escaped("\n".join(cue.lines))
        if cue.speaker is not None:
            text = f"<v {_escaped(cue.speaker)}>{text}"
        elif cue.channel is not None:
            text = f"<v Channel {cue.channel}>{text}"
        yield f"{_clock(cue.start_ms, '.')} --> {_clock(cue.end_ms, '.')}\n{text}\n\n"


def tsv(sentences: Iterable[Sentence]) -> Iterator[str]:
    """Yield the lines of a table: start and end in ms, and the text; a header comes first.

    Where speakers are told apart, or channels recognised apart, a column says whose it is.
    """
    header = "start\tend\ttext\n"
    for sentence in sentences:
        text = " ".join(sentence.text.split())
        column, whose = "", ""
        if sentence.speaker is not None:
            column, whose = "speaker\t", " ".join(sentence.speaker.split()) + "\t"
        elif sentence.channel is not None:
            column, whose = "channel\t", f"{sentence.channel}\t"
        if header:
            yield f"start\tend\t{column}text\n"
            header = ""
        yield f"{sentence.start_ms}\t{sentence.end_ms}\t{whose}{text}\n"
    if header:
        yield header


def spoken_line(sentence: Sentence) -> str:
    """Return a sentence as one line, behind its speaker or channel if it has one."""
    return marked(" ".join(sentence.text.split()), sentence)


def marked(text: str, spoken: Cue | Sentence) -> str:
    """Return a text behind who says it, or the channel that it was heard in."""
    whose = spoken.channel if spoken.speaker is None else spoken.speaker
    return text if whose is None else f"[{whose}] {text}"


def _escaped(text: str) -> str:
    """Return a text for WebVTT."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _clock(time_ms: int, point: str) -> str:
    """Return hh:mm:ss and the milliseconds behind the given sign."""
    seconds, milliseconds = divmod(time_ms, 1000)
    minutes, seconds = divmod(seconds, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02d}:{minutes:02d}:{seconds:02d}{point}{milliseconds:03d}"


def _columns(text: str) -> int:
    """Return the width of a text in columns of a Latin letter."""
    return sum(_character_columns(character) for character in text)


def _character_columns(character: str) -> int:
    if unicodedata.combining(character):
        return 0
    return 2 if unicodedata.east_asian_width(character) in "WF" else 1


def _pieces(text: str, units: list[Unit]) -> list[tuple[int, int]]:
    """Split a text into stretches (first, last + 1) that fit into a cue each."""
    pieces: list[tuple[int, int]] = []
    waiting = [(0, len(text))]
    while waiting:
        first, last = waiting.pop()
        if all(_columns(line) <= LINE_COLUMNS for line in _lines(text[first:last])):
            pieces.append((first, last))
        else:
            inside = [unit for unit in units if first <= unit.start < last]
            position = _best_break(text, first, last, inside)
            waiting += [(position, last), (first, position)]
    return [(first, last) for first, last in pieces if text[first:last].strip()]


def _lines(text: str) -> tuple[str, ...]:
    """Return a text as one line, or as two of about the same width."""
    text = text.strip()
    if _columns(text) <= LINE_COLUMNS:
        return (text,)
    position = _best_break(text, 0, len(text), text_units(text))
    return text[:position].rstrip(), text[position:].lstrip()


def _best_break(text: str, first: int, last: int, units: list[Unit]) -> int:
    """Return where to break text[first:last]: near the middle, at a pause if there is one.

    Never inside a word or figure, nor before punctuation, unless there is no other place.
    """
    widths = dict(zip(range(first, last + 1), _running_columns(text[first:last]), strict=True))
    total = max(widths[last], 1)

    def badness(position: int) -> float:
        off_middle = abs(widths[position] / total - 0.5)
        pause = text[first:position].rstrip().endswith(_CLAUSE_ENDS)
        return off_middle - (_PAUSE_BONUS if pause else 0.0)

    return min(_breaks(text, first, units) or range(first + 1, last), key=badness)


def _breaks(text: str, first: int, units: list[Unit]) -> list[int]:
    """Return the places behind `first` where a line may end."""
    places: list[int] = []
    for unit in units:
        position = unit.start
        while position > first and text[position - 1] in _OPENING:
            position -= 1
        if position > first:
            before, after = text[position - 1], text[position]
            if before == " " or 2 in (_character_columns(before), _character_columns(after)):
                places.append(position)
    return places


def _running_columns(text: str) -> list[int]:
    """Return the width of the first 0, 1, 2 … characters."""
    return list(accumulate(map(_character_columns, text), initial=0))
