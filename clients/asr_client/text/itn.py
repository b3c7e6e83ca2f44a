"""Inverse text normalisation: spoken numbers become figures, in Chinese and English.

    三月二十一号花了十二块五 → 3月21号…   百分之三十 → 30%   twenty five dollars → $25

The rules are those of `wetext` (WeTextProcessing's and NeMo's grammars as finite-state
transducers). They decide what is a number and how it is written; everything else of the text
stays as it is, character for character, because only the spans that they tag as numbers are put
in its place:

- The grammars also rewrite what is none ("doctor" → "dr.", quotes, double spaces); that is not
  taken over.
- Chinese dates, times and amounts keep their marks and the order in which they were spoken:
  2026年11月21日, 下午2:30, 3000元 and not 2026/11/21, 2:30p.m., ¥3000.
- English ordinals below ten stay words ("first of all", "in a second"), as cardinals do.
- Of two numbers that would run into one ("9" directly behind "1998") the second stays in words.

This is done in the client, beside the transcription pipeline, and not in a Triton model: it takes
milliseconds of one core for a sentence, which no batch makes less, and it needs the punctuated
text, which is put together here.
"""

from __future__ import annotations

import importlib
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ..errors import OptionError

# What a span must contain to count as a number.
_ZH_NUMERALS = frozenset("零〇一二三四五六七八九十百千万亿两幺")
_EN_NUMERAL_WORDS = """
zero oh one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred
thousand million billion trillion
first second third fourth fifth sixth seventh eighth ninth tenth eleventh twelfth thirteenth
fourteenth fifteenth sixteenth seventeenth eighteenth nineteenth twentieth thirtieth fortieth
fiftieth sixtieth seventieth eightieth ninetieth hundredth thousandth millionth
tens twenties thirties forties fifties sixties seventies eighties nineties
"""
_EN_NUMERALS = frozenset(_EN_NUMERAL_WORDS.split())

# Expressions in which the grammar sees a number and a reader does not.
_ZH_IDIOMS = ("三三两两", "五十步笑百步", "不管三七二十一", "四十不惑", "万万千千", "千千万万")

# Token classes of the English grammar that are numbers; the others are words in another spelling.
_EN_CLASSES = frozenset(
    ("cardinal", "ordinal", "decimal", "fraction", "measure", "money", "date", "time", "telephone")
)

_HAN_RUN = re.compile(r"[〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
_LATIN = r"[A-Za-z\u00c0-\u024f]+(?:['’][A-Za-z\u00c0-\u024f]+)*"
_LATIN_RUN = re.compile(rf"{_LATIN}(?:[ -]{_LATIN})*")
_LATIN_WORD = re.compile(r"[^ -]+")
_KANA = re.compile(r"[\u3040-\u30ff]")

# Units (characters, words) around a number that the grammar sees; enough for any unit of measure.
_CONTEXT = 8
MAX_UNITS = 120  # in one piece; the cost grows faster than the length, and no number is so long

LANGUAGES = ("auto", "zh", "yue", "en", "ja", "ko")


@dataclass(frozen=True)
class Replacement:
    """A number of the spoken text: text[start:end] is to be written as `written`."""

    start: int
    end: int
    written: str


def normalize_numbers(text: str, language: str = "auto") -> str:
    """Return the text with its numbers as figures.

    Safe to call from several threads. The first call loads the grammars (about a second).

    Args:
        text: spoken text, with or without punctuation.
        language: "zh", "yue" or "auto" write Chinese and English numbers, "en" English ones
            only. "ja" and "ko" return the text as it is; so does "auto" for Chinese characters
            in a text with kana.

    Raises:
        OptionError: another language, or `wetext` is not installed.
    """
    pieces: list[str] = []
    position = 0
    for replacement in find_numbers(text, language):
        pieces += [text[position : replacement.start], replacement.written]
        position = replacement.end
    return "".join([*pieces, text[position:]])


def find_numbers(text: str, language: str = "auto") -> list[Replacement]:
    """Return what `normalize_numbers` puts in the place of what, in order."""
    if language not in LANGUAGES:
        raise OptionError(f"language: expected one of {', '.join(LANGUAGES)}; got {language!r}")
    if language in ("ja", "ko"):
        return []
    found: list[Replacement] = []
    if language != "en" and not (language == "auto" and _KANA.search(text)):
        for run in _HAN_RUN.finditer(text):
            found += _numbers_of_run(run, r"(?s).", _ZH_NUMERALS, "zh", _written_zh)
    for run in _LATIN_RUN.finditer(text):
        found += _numbers_of_run(run, _LATIN_WORD, _EN_NUMERALS, "en", _written_en)
    kept: list[Replacement] = []
    for number in sorted(found, key=lambda number: number.start):
        before = _before(text, number.start, kept[-1] if kept else None)
        after = text[number.end : number.end + 1]
        runs_on = number.written[:1].isdigit() and before.isdigit()
        if not runs_on and not (number.written[-1:].isdigit() and after.isdigit()):
            kept.append(number)
    return kept


def _before(text: str, start: int, last: Replacement | None) -> str:
    """Return the character that will stand before `start`."""
    if last is not None and last.end == start:
        return last.written[-1:]
    return text[start - 1 : start] if start else ""


def _numbers_of_run(
    run: re.Match[str],
    unit: str | re.Pattern[str],
    numerals: frozenset[str],
    grammar: str,
    written: Callable[[Any, str, str], str | None],
) -> Iterator[Replacement]:
    """Yield the numbers of a run of one script.

    Args:
        run: of one script.
        unit: what the grammar takes for one symbol: a character, or a word.
        numerals: words that make a number.
        grammar: "zh" or "en".
        written: class token, its source, what the grammar writes → what we write, or None.
    """
    units = list(re.finditer(unit, run[0]))
    words = [match[0].lower().replace("’", "'") for match in units]
    hidden = _idiom_positions(run[0]) if grammar == "zh" else frozenset()
    is_number = [word in numerals and index not in hidden for index, word in enumerate(words)]
    for first, last in _windows(is_number):
        for start, end, token in _tagged(words[first:last], grammar):
            if not any(is_number[first + start : first + end]):
                continue
            begin, stop = units[first + start].start(), units[first + end - 1].end()
            source = run[0][begin:stop]
            text = written(token, source, _verbalized(token, grammar))
            if text is not None and text != source:
                if source[0].isupper():
                    text = text[0].upper() + text[1:]
                yield Replacement(run.start() + begin, run.start() + stop, text)


def _idiom_positions(text: str) -> frozenset[int]:
    """Return the places of the characters that belong to an idiom."""
    return frozenset(
        position
        for idiom in _ZH_IDIOMS
        for match in re.finditer(idiom, text)
        for position in range(match.start(), match.end())
    )


def _windows(is_number: Sequence[bool]) -> Iterator[tuple[int, int]]:
    """Yield the stretches (first, last + 1) around numerals that the grammar has to see."""
    numerals = [index for index, numeral in enumerate(is_number) if numeral]
    group: list[int] = []
    for index in [*numerals, None]:
        if group and (index is None or index - group[-1] > 2 * _CONTEXT):
            first, last = max(group[0] - _CONTEXT, 0), group[-1] + _CONTEXT + 1
            if last - first <= MAX_UNITS:
                yield first, min(last, len(is_number))
            group = []
        if index is not None:
            group.append(index)


def _tagged(units: Sequence[str], grammar: str) -> list[tuple[int, int, Any]]:
    """Return (first, last + 1, class token) for what the grammar takes for a number.

    The tagger writes a token for every unit it leaves alone and one for every number, in order.
    So the units of a number are those between the ones before and after it.
    """
    wetext = _wetext()
    parser = wetext.token_parser.TokenParser(grammar, "itn")
    joiner = "" if grammar == "zh" else " "
    parser.parse(wetext.utils.tag(joiner.join(units), grammar, "itn"))
    tokens = parser.tokens

    @cache
    def ends(index: int, first: int) -> tuple[int, ...] | None:
        """Return where tokens[index:] end if the first of them begins at `first`."""
        if index == len(tokens):
            return () if first == len(units) else None
        token = tokens[index]
        if token.name in ("char", "word"):
            if first == len(units) or token.members.get("value") != units[first]:
                return None
            candidates = [first + 1]
        else:
            # The values hold what was spoken, though in English not every word of it.
            values = joiner.join(token.members.values())
            likely = first + len(values.split(" ") if joiner else values)
            candidates = sorted(range(first + 1, len(units) + 1), key=lambda end: abs(end - likely))
        for end in candidates:
            rest = ends(index + 1, end)
            if rest is not None:
                return (end, *rest)
        return None

    bounds = ends(0, 0)
    if bounds is None:
        return []
    return [
        (first, end, token)
        for first, end, token in zip((0, *bounds), bounds, tokens, strict=False)
        if token.name not in ("char", "word")
    ]


def _written_zh(token: Any, source: str, written: str) -> str | None:
    """Return how a Chinese number is written, or None to leave it in words."""
    parts = token.members
    if token.name == "date" and "/" in written:
        spoken = [parts[key] for key in ("year", "month", "day") if key in parts]
        figures = written.split("/")
        if len(figures) != len(spoken):
            return None
        return "".join(
            f"{int(figure)}{part[-1]}" for figure, part in zip(figures, spoken, strict=True)
        )
    if token.name == "time" and "noon" in parts:
        return str(parts["noon"]) + re.sub(r" *[ap]\.m\.$", "", written)
    if token.name == "money" and source.endswith(parts.get("currency") or "\0"):
        return written.lstrip("¥$€£") + str(parts["currency"])
    return written


def _written_en(token: Any, source: str, written: str) -> str | None:
    """Return how an English number is written, or None to leave it in words."""
    if token.name not in _EN_CLASSES:
        return None
    if token.name == "ordinal" and re.fullmatch(r"\d\D+", written):
        return None
    if token.name == "time":
        return re.sub(r"^0(?=\d:)", "", written)
    return written.replace(" %", "%")


def _verbalized(token: Any, grammar: str) -> str:
    """Return how the grammar writes a class token."""
    wetext = _wetext()
    orders = wetext.token_parser.TokenParser(grammar, "itn").orders
    return str(wetext.utils.verbalize(token.string(orders), grammar, "itn"))


@cache
def _wetext() -> Any:
    """Import wetext, which loads all its grammars at once, when the first number is met."""
    try:
        importlib.import_module("wetext.utils")
        importlib.import_module("wetext.token_parser")
        return importlib.import_module("wetext")
    except ImportError:
        raise OptionError(
            "writing numbers as figures needs wetext; got none: pip install wetext, or "
            "switch ITN off"
        ) from None
