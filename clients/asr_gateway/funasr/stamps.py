"""The two forms in which FunASR's servers give times of words."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

from asr_client import Sentence, Word
from asr_client.text import text_units


def timestamp(words: Sequence[Word]) -> str:
    """Return `[[start, end], …]` in ms as JSON: a pair for each character or word, in order."""
    return json.dumps([[word.start_ms, word.end_ms] for word in words], separators=(",", ":"))


def stamped_sentences(sentence: Sentence) -> Iterator[dict[str, Any]]:
    """Yield the parts of a sentence between punctuation marks, with their times.

    Each is `{"text_seg": "正 是 因 为", "punc": ",", "start": ms, "end": ms, "ts_list": […]}`.
    Empty where the sentence has no times of words.
    """
    units = text_units(sentence.text)
    if len(units) != len(sentence.words):
        return
    part: list[Word] = []
    for index, (unit, word) in enumerate(zip(units, sentence.words, strict=True)):
        part.append(word)
        after = units[index + 1].start if index + 1 < len(units) else len(sentence.text)
        mark = sentence.text[unit.end : after].strip()
        if mark or index == len(units) - 1:
            yield {
                "text_seg": " ".join(each.text for each in part),
                "punc": mark,
                "start": part[0].start_ms,
                "end": part[-1].end_ms,
                "ts_list": [[each.start_ms, each.end_ms] for each in part],
            }
            part = []
