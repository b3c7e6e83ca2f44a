"""Finds the numbers of a Chinese text.

Rules propose (`chinese_rules`), and a proposal is taken if, read back, it gives what was spoken
(`chinese_readings`), nothing beside it makes it another number or a vague one, and no half of an
expression stays in words. A stretch of numerals is taken whole or stays whole.
"""

from __future__ import annotations

import itertools
import re

from .chinese_numbers import DIGITS, NUMERALS, parse_integer
from .chinese_readings import reads_as
from .chinese_rules import RULES
from .chinese_words import (
    AMOUNT_ENDS,
    AMOUNT_OF_PARTS,
    CHANGE,
    CONNECTOR,
    COUNTED,
    COUNTS,
    DAY_PART,
    FIXED,
    HALF_BEHIND,
    KILO,
    LUNAR,
    MEASURED,
    MOMENT,
    NAMED,
    NO_SIGN,
    ONE_WORD,
    PART_OF_AMOUNT,
    RANGE_BEFORE,
    RANGE_UNIT,
    SHORT_ENDS,
    VAGUE_BEFORE,
    VAGUE_BEHIND,
    WORD_BEFORE,
)
from .replacement import Replacement

# A letter or hyphen before it tells of a code: 京A一二三.
_HAN_RUN = re.compile(r"[A-Za-z-]?[〇\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]+")
# Characters of traditional writing, as Cantonese is often written, in what the rules read.
_SIMPLE = str.maketrans(
    "兩點億萬塊號負幾數個鐘週歲餘來錢這後開們圓", "两点亿万块号负几数个钟周岁余来钱这后开们元"
)
_STRETCH = f"[{NUMERALS}]+"
_BEGINNING = re.compile(f"(?:{NO_SIGN})?[{NUMERALS}]")
# A number that was not taken, with the parts that no rule may take by themselves.
_WHOLE_STRETCH = re.compile(f"负?{_STRETCH}(?:(?:点|分之){_STRETCH})*")
_LINK = re.compile(
    f"(?<=[{NUMERALS}半刻])(?P<unit>{RANGE_UNIT}?)(?P<link>{CONNECTOR})(?:零[上下]|第|{DAY_PART})"
    f"(?=[{NUMERALS}])"
)
_CHANGES = re.compile(f"{CHANGE}[到至成为]")
_ONLY_NUMERALS = re.compile(_STRETCH)
_CONTINUED = re.compile(f"(?:点|分之)[{NUMERALS}]|点[零〇]*几")
# A hundred and ten, or a hundred for one: 一百一, 一百一个.
_FOR_ONE = re.compile(f"[百千万亿]一(?![{NUMERALS}]|{SHORT_ENDS})")
# A last figure behind the unit of a number that no rule writes with it: 二十秒五, 三十公里五.
_COUNTS = f"{COUNTED.pattern}|{COUNTS.pattern}|{MEASURED.pattern}"
_PART_BEHIND = re.compile(
    f"[秒里斤米克升吨](?:零?一(?:{AMOUNT_ENDS.pattern})"
    f"|(?!一)[{DIGITS}]{{1,4}}(?![{NUMERALS}]|{_COUNTS}))"
)
# A last part without a unit: 两米三十, 二十一公里零九七五.
_PART_BEFORE = re.compile(f"[{NUMERALS}](?:[块元毛度米斤秒分]|公[里斤])$")
_COUNTED = re.compile(_COUNTS)
_KILO = re.compile(f"千{KILO}")
_PAIRED = re.compile(f"(?:^|[^{NUMERALS}])[一二两三四五六七八九]、$")  # 二、三十个
# 二十二、三岁, 一百二、三十个: one or the other.
_PAIRS = "|".join(map("、".join, itertools.pairwise(DIGITS[1:])))
_ONE_OF_TWO = re.compile(f"[{NUMERALS}]*(?:{_PAIRS}|两、三)[十百千万亿]?(?![{NUMERALS}])")


def find_chinese(text: str) -> list[Replacement]:
    """Return the numbers of a text with Chinese characters, in order."""
    found: list[Replacement] = []
    vague = {
        place
        for match in _ONE_OF_TWO.finditer(text.translate(_SIMPLE))
        for place in range(*match.span())
    }
    for run in _HAN_RUN.finditer(text):
        before = text[max(run.start() - 3, 0) : run.start()]
        for number in _numbers_of_run(run[0].translate(_SIMPLE), before):
            begin, end = run.start() + number.start, run.start() + number.end
            if vague.isdisjoint(range(begin, end)):
                found.append(Replacement(begin, end, _as_spelt(number.written, text[begin:end])))
    return found


def _as_spelt(written: str, source: str) -> str:
    """Return a written form with the characters of its source, where that is traditional."""
    simple = source.translate(_SIMPLE)
    return written.translate(str.maketrans(simple, source)) if simple != source else written


def _numbers_of_run(run: str, before: str) -> list[Replacement]:
    fixed = {place for match in FIXED.finditer(run) for place in range(match.start(), match.end())}
    taken: dict[int, Replacement] = {}
    kept: dict[int, int] = {}  # stretches that stay words, start to end
    position = 0
    while match := _BEGINNING.search(run, position):
        start = match.start()
        number = None
        if start not in fixed and not (start == 0 and _PAIRED.search(before)):
            number = _number_at(run, start)
        if number is not None and fixed.isdisjoint(range(start, number.end)):
            taken[start] = number
            position = number.end
        else:
            position = _WHOLE_STRETCH.match(run, start).end()  # type: ignore[union-attr]
            kept[start] = position
    _write_alike(run, taken, kept, fixed)
    return [taken[start] for start in sorted(taken)]


def _number_at(run: str, start: int) -> Replacement | None:
    """Return the number that begins here, by the first rule whose form is proved."""
    if VAGUE_BEFORE.search(run, max(start - 8, 0), start) or WORD_BEFORE.match(run, start):
        return None
    for pattern, rule in RULES:
        match = pattern.match(run, start)
        if match is None or _goes_on(run, match.end()):
            continue
        is_bare = match[0][-1] in NUMERALS and not _COUNTED.match(run, match.end())
        if is_bare and _PART_BEFORE.search(run, max(start - 3, 0), start):
            continue
        each = _FOR_ONE.search(run, start, match.end() + 3)  # as far as SHORT_ENDS looks
        if each is not None and each.end() <= match.end():
            continue
        written = rule(match)
        if written is None or not reads_as(written, match[0]):
            continue
        if not (written[-1].isdigit() and _numeral_follows(run, match.end())):
            return Replacement(start, match.end(), written)
    return None


def _numeral_follows(run: str, end: int) -> bool:
    """Return whether a figure here would stand beside a numeral: 三点半四点, 八点十分五个人."""
    if run.startswith("一", end) and ONE_WORD.match(run, end + 1):
        return False
    return _BEGINNING.match(run, end) is not None and not _KILO.match(run, end)


def _goes_on(run: str, end: int) -> bool:
    """Return whether what stands behind a number makes it another, or vague."""
    if HALF_BEHIND.match(run, end):
        return True
    if run[end - 1] not in NUMERALS:
        return _PART_BEHIND.match(run, end - 1) is not None
    if _numeral_follows(run, end):
        return True
    if run[end - 1] == "一" and ONE_WORD.match(run, end):
        return True
    if VAGUE_BEHIND.match(run, end):
        return True
    return _CONTINUED.match(run, end) is not None


def _write_alike(
    run: str, taken: dict[int, Replacement], kept: dict[int, int], fixed: set[int]
) -> None:
    """Write both ends of a range in figures, or both in words: 三到二十个, 十到十几个."""
    ends = {end: start for start, end in kept.items()}
    ends |= {number.end: start for start, number in taken.items()}
    links = list(_LINK.finditer(run))
    for link in [*links, *reversed(links)]:  # a change may reach the next link, forth and back
        left = ends.get(link.start(), ends.get(link.start("link")))
        right = link.end()
        if left is None:
            continue
        if right in taken and _may_share(run, left, taken[right].end, link):
            for start in (left, right):  # 三到五百, 十到二十万
                if start in taken:
                    kept[start] = taken.pop(start).end
            continue
        if left in taken and right in taken and _is_rate(taken[left]) > _is_rate(taken[right]):
            for start in (left, right):  # 百分之五十到六十
                kept[start] = taken.pop(start).end
        if (left in taken) == (right in taken):
            continue
        words, figures = (left, right) if right in taken else (right, left)
        single = run[words : kept[words]]
        value = parse_integer(single) if len(single) == 1 else None
        is_moment = ":" in taken[figures].written or MOMENT.match(run, right) is not None
        if value and words == left and not _begins_range(run, left, link, is_moment):
            if LUNAR.search(run, 0, left) or (value == 1 and not link["unit"] and is_moment):
                kept[right] = taken.pop(right).end  # 初一到十五, 一到十点
            continue
        if (
            value is None
            or words in fixed
            or HALF_BEHIND.match(run, kept[words])
            or _is_part(run, words, kept)
            or _is_rate(taken[figures])
        ):
            kept[figures] = taken.pop(figures).end
        else:
            taken[words] = Replacement(words, kept.pop(words), str(value))


def _begins_range(run: str, start: int, link: re.Match[str], is_moment: bool) -> bool:
    """Return whether a lone numeral is surely the number from which a range goes.

    Args:
        run: of characters.
        start: where the numeral is.
        link: behind it.
        is_moment: the range would end at a time.
    """
    if NAMED.search(run, 0, start):
        return False
    if link["unit"] or RANGE_BEFORE.search(run, 0, start):
        return True
    if run[start] == "一" and is_moment:
        return False
    return _CHANGES.fullmatch(link["link"]) is None


def _is_part(run: str, start: int, kept: dict[int, int]) -> bool:
    """Return whether a stretch is one of the numerals of an amount in words: 三块五, 一米八."""
    whole = PART_OF_AMOUNT.search(run, 0, start)
    if whole and whole.end("whole") in kept.values():
        return True
    part = AMOUNT_OF_PARTS.match(run, kept[start])
    return part is not None and part.end() in kept


def _may_share(run: str, left: int, end: int, link: re.Match[str]) -> bool:
    """Return whether the place of a range's end may be that of its beginning: 三到五百."""
    if link["unit"] or link["link"] not in ("到", "至"):
        return False
    right = _ONLY_NUMERALS.match(run, link.end(), end)
    if right is None:
        return False
    spoken = right[0].rstrip("万亿") or right[0]
    scale = right[0][len(spoken) :]
    if not scale and spoken[-1] in "百千":
        spoken, scale = spoken[:-1], spoken[-1]
    if not scale or not _ONLY_NUMERALS.fullmatch(run, left, link.start()):
        return False
    first, last = parse_integer(run[left : link.start()]), parse_integer(spoken)
    return first is not None and last is not None and first < last


def _is_rate(number: Replacement) -> bool:
    return number.written[-1] in "%‰"
