"""How alignments are written: JSON, subtitles, Praat's TextGrid, NIST's CTM."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

from ..results import Sentence, Word
from ..text import json_line, srt
from .results import AlignedWord, Alignment

_Interval = tuple[float, float, str]  # s


def format_alignment(style: str, alignment: Alignment, name: str) -> str:
    """Return an alignment as text.

    Args:
        style: one of `ALIGNMENT_FORMATS`.
        alignment: what to write.
        name: of the recording, without spaces.
    """
    return _WRITERS[style](alignment, name)


def _json(alignment: Alignment, name: str) -> str:
    return json_line({"id": name, **alignment.to_dict()}) + "\n"


def _srt(alignment: Alignment, name: str) -> str:
    return "".join(srt(heard_sentences(alignment)))


def _ctm(alignment: Alignment, name: str) -> str:
    """Return a line for each word: `recording channel start duration word confidence`.

    A word that is not heard has confidence 0, one of which that cannot be told has none.
    """
    lines = []
    for word in alignment.words:
        line = f"{name} 1 {word.start_ms / 1000:.3f} {(word.end_ms - word.start_ms) / 1000:.3f}"
        line += f" {word.text}"
        lines.append(line if word.confidence is None else f"{line} {word.confidence:.3f}")
    return "".join(f"{line}\n" for line in lines)


def _textgrid(alignment: Alignment, name: str) -> str:
    """Return Praat's long text form, with a tier of sentences and one of words.

    Intervals must fill the time and have a length: a word that is not heard has none.
    """
    words_s = (word.end_ms / 1000 for word in alignment.words)
    end_s = max([alignment.duration_s, 0.001, *words_s])  # Praat knows no time without length
    tiers = {
        "sentences": [
            (each.start_ms / 1000, each.end_ms / 1000, each.text)
            for each in heard_sentences(alignment)
        ],
        "words": [
            (word.start_ms / 1000, word.end_ms / 1000, word.text)
            for word in alignment.words
            if word.heard
        ],
    }
    lines = [
        'File type = "ooTextFile"',
        'Object class = "TextGrid"',
        "",
        "xmin = 0",
        f"xmax = {end_s:.3f}",
        "tiers? <exists>",
        f"size = {len(tiers)}",
        "item []:",
    ]
    for number, (tier, intervals) in enumerate(tiers.items(), 1):
        filled = list(_filled(intervals, end_s))
        lines += [
            f"    item [{number}]:",
            '        class = "IntervalTier"',
            f'        name = "{tier}"',
            "        xmin = 0",
            f"        xmax = {end_s:.3f}",
            f"        intervals: size = {len(filled)}",
        ]
        for index, (start_s, stop_s, text) in enumerate(filled, 1):
            quoted = text.replace('"', '""')
            lines += [
                f"        intervals [{index}]:",
                f"            xmin = {start_s:.3f}",
                f"            xmax = {stop_s:.3f}",
                f'            text = "{quoted}"',
            ]
    return "\n".join(lines) + "\n"


def _filled(intervals: Sequence[_Interval], end_s: float) -> Iterator[_Interval]:
    """Yield intervals that have a length, and empty ones between them."""
    latest_s = 0.0
    for start_s, stop_s, text in intervals:
        start_s = max(start_s, latest_s)
        if stop_s <= start_s:
            continue
        if start_s > latest_s:
            yield latest_s, start_s, ""
        yield start_s, stop_s, text
        latest_s = stop_s
    if latest_s < end_s or not intervals:
        yield latest_s, end_s, ""


def heard_sentences(alignment: Alignment) -> list[Sentence]:
    """Return the sentences that are heard, with the words that are."""
    return [
        Sentence(
            each.text,
            each.start_ms,
            each.end_ms,
            [_word(word) for word in each.words if word.heard],
        )
        for each in alignment.sentences
        if each.heard
    ]


def _word(word: AlignedWord) -> Word:
    return Word(word.text, word.start_ms, word.end_ms, word.confidence)


_WRITERS: dict[str, Callable[[Alignment, str], str]] = {
    "json": _json,
    "srt": _srt,
    "textgrid": _textgrid,
    "ctm": _ctm,
}
ALIGNMENT_FORMATS = tuple(_WRITERS)
