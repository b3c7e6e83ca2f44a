"""The two forms in which FunASR's servers give times of words.

`timestamp` is one list for a message's text. FunASR's HTML client walks through it by counting the
text, and shows nothing where it counts further than the list goes: it splits at 。？，、?., and
spaces; a piece of English letters is one pair, any other piece one pair for each UTF-16 unit. For
what FunASR's servers write, that is a pair for each character, each figure and each English word,
as `TimestampSmooth` gives them. So pairs are counted as the client does, whatever the text.

`stamp_sents` is read by people and programs that take it item by item: a character, a figure or a
word each, with a pair each.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from asr_client import Sentence, Word
from asr_client.text import align_words, text_units

Span = tuple[int, int]

_PIECE = re.compile(r"[^。？，、?., ]+")
_ENGLISH = re.compile(r"[a-zA-Z]+")
_SKIPPED = "undefined"  # which the client takes for a mistake of its own

# Hangul, whose words are written with spaces, is counted by the character.
_HANGUL = r"\u1100-\u11ff\u3130-\u318f\uac00-\ud7af"
_LETTER = rf"(?:(?![{_HANGUL}])[^\W\d_]|[\u0300-\u036f])"
# What is one item of `stamp_sents`; points and commas within figures stay with the figure before.
_ITEM = re.compile(rf"{_LETTER}+(?:['’&-]{_LETTER}+)*|.[.,]*", re.DOTALL)


def timestamp(text: str, sentences: Sequence[Sentence]) -> str:
    """Return `[[start, end], …]` in ms as JSON, as many pairs as FunASR's client counts in a text.

    Args:
        text: of the message: the sentences, perhaps with spaces between.
        sentences: of which at least one has times of words; the others' times are spread.
    """
    spans = _character_spans(text, sentences)
    pairs: list[Span] = []
    for piece in _PIECE.finditer(text):
        own = spans[piece.start() : piece.end()]
        if _ENGLISH.fullmatch(piece[0]):
            if piece[0] != _SKIPPED:
                pairs.append((own[0][0], own[-1][1]))
            continue
        for character, span in zip(piece[0], own, strict=True):
            pairs += [span] * (1 if ord(character) < 0x10000 else 2)
    return json.dumps(pairs, separators=(",", ":"))


def stamped_sentences(sentence: Sentence) -> Iterator[dict[str, Any]]:
    """Yield the parts of a sentence between punctuation marks, with their times.

    Each is `{"text_seg": "正 是 因 为", "punc": ",", "start": ms, "end": ms, "ts_list": […]}`.
    """
    units = text_units(sentence.text)
    spans = _character_spans(sentence.text, [sentence])
    items: list[str] = []
    pairs: list[Span] = []
    for index, unit in enumerate(units):
        for item in _ITEM.finditer(sentence.text, unit.start, unit.end):
            items.append(item[0])
            pairs.append((spans[item.start()][0], spans[item.end() - 1][1]))
        after = units[index + 1].start if index + 1 < len(units) else len(sentence.text)
        mark = sentence.text[unit.end : after].strip()
        if mark or index == len(units) - 1:
            yield {
                "text_seg": " ".join(items),
                "punc": mark,
                "start": pairs[0][0],
                "end": pairs[-1][1],
                "ts_list": [list(pair) for pair in pairs],
            }
            items, pairs = [], []


def _character_spans(text: str, sentences: Sequence[Sentence]) -> list[Span]:
    """Return when each character of a text is heard; marks have a moment behind their word.

    A word's characters share its time evenly, as FunASR shares that of what ITN has changed.
    """
    spans: list[Span] = []
    latest_ms = sentences[0].start_ms if sentences else 0
    for sentence in sentences:
        begin = text.index(sentence.text, len(spans))
        for unit, word in zip(text_units(sentence.text), _timed_words(sentence), strict=True):
            spans += [(latest_ms, latest_ms)] * (begin + unit.start - len(spans))
            count, length_ms = len(unit.text), word.end_ms - word.start_ms
            bounds = [word.start_ms + length_ms * n // count for n in range(count + 1)]
            spans += pairwise(bounds)
            latest_ms = word.end_ms
    return spans + [(latest_ms, latest_ms)] * (len(text) - len(spans))


def _timed_words(sentence: Sentence) -> Sequence[Word]:
    """Return a word for each unit of the text; without times they share the sentence's."""
    if len(sentence.words) == len(text_units(sentence.text)):
        return sentence.words
    return align_words([Word(sentence.text, sentence.start_ms, sentence.end_ms)], sentence.text)
