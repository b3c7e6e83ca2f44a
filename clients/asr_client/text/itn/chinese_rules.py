"""What each kind of spoken Chinese number looks like, and how it is written.

A rule proposes a written form for a match, or nothing. It need not prove itself: what it proposes
is read back, and taken only if that gives the words that were spoken.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable

from .chinese_numbers import NUMERALS, digits_of, parse_integer, write_integer
from .chinese_readings import UNIT_WORDS
from .chinese_words import (
    AFTER_MONTH,
    AMOUNT_ENDS,
    COUNTED,
    COUNTS,
    DATE_BEHIND,
    DECIMAL_UNIT,
    FIRST_POINT,
    KILO,
    LETTER_BEFORE,
    MARK_BEFORE,
    MEASURED,
    NOT_TIME_BEFORE,
    NUMBERED_PAPER,
    PART_UNIT,
    PARTS,
    SCORED_BEFORE,
    SEASON,
    SHARED_UNIT,
    SPELT_BEFORE,
    SPELT_PAIR_BEFORE,
    TIME_BEFORE,
    TIME_BEHIND,
)

Rule = Callable[["re.Match[str]"], "str | None"]

_D = "[零〇一二三四五六七八九]"
# No number is said in more numerals. In 二十千克 and 二十五千瓦, 千 belongs to the unit.
_N = f"(?:[零〇一二三四五六七八九十百万亿两]|千(?!{KILO})){{1,40}}"
_MONTH = "(?P<month>十[一二]|[零〇]?[一二三四五六七八九]|十)月"
_DAY = f"(?P<day>[二三]?十[一二三四五六七八九]?|[零〇]?{_D})(?P<mark>[日号])"
_YEAR = f"(?P<year>{_D}{{4}})年"
LONGEST_CODE = 64
LARGEST_HOUR = 24
FIRST_YEAR, LAST_YEAR = 1000, 2199  # of those that are said in four figures without doubt

_UNITS = {word: unit for unit, words in UNIT_WORDS.items() for word in words}
_UNIT = "|".join(sorted(_UNITS, key=len, reverse=True))


def _before(match: re.Match[str]) -> str:
    """Return the words before a match, enough of them for any cue."""
    return match.string[max(match.start() - 8, 0) : match.start()]


def _is_bare(match: re.Match[str]) -> bool:
    """Return whether nothing stands beside a match."""
    return match.start() == 0 and match.end() == len(match.string)


def _rate(match: re.Match[str]) -> str | None:
    """百分之三点五 → 3.5%."""
    number = _decimal(match["whole"], match["part"])
    return number and number + ("%" if match["kind"] == "百" else "‰")


def _decimal(whole: str, part: str | None) -> str | None:
    value = parse_integer(whole)
    if value is None:
        return None
    return f"{value}.{digits_of(part)}" if part else str(value)


def _fraction(match: re.Match[str]) -> str | None:
    """三分之二 → 2/3."""
    bottom, top = parse_integer(match["bottom"]), parse_integer(match["top"])
    return None if not bottom or not top or bottom < 2 else f"{top}/{bottom}"


def _date(match: re.Match[str]) -> str | None:
    """二零二六年十一月二十一日 → 2026年11月21日."""
    parts = match.groupdict()
    month, day = (_figures(parts.get(name)) for name in ("month", "day"))
    if day and not 1 <= int(day) <= 31:
        return None
    year = digits_of(parts["year"]) if parts.get("year") else ""
    if year and not FIRST_YEAR <= int(year) <= LAST_YEAR and int(year[2:]) == int(year[:2]) + 1:
        return None  # 八九九零年, 零八零九年
    written = f"{year}年" if year else ""
    return written + (f"{month}月" if month else "") + (f"{day}{parts['mark']}" if day else "")


def _figures(words: str | None) -> str:
    """Return a part of a date, 零三 as 03; "" if there is none."""
    if not words:
        return ""
    return digits_of(words) if words[0] in "零〇" else str(parse_integer(words))


def _short_year(match: re.Match[str]) -> str | None:
    """九八年 → 98年; 一二年, 七八年 and 三五年 may be one or two years, and so on."""
    year = digits_of(match["year"])
    return None if _is_vague_pair(year) else f"{year}年"


def _is_vague_pair(figures: str) -> bool:
    """Return whether two digits in a row may mean one or the other: 七八, 三五."""
    first, second = map(int, figures)
    return figures == "35" or (first > 0 and second == first + 1)


def _decade(match: re.Match[str]) -> str:
    """九零后 → 90后."""
    return digits_of(match["year"]) + "后"


def _time(match: re.Match[str]) -> str | None:
    """两点半 → 2:30, 七点一刻 → 7:15, 三点五十分 → 3:50."""
    hour = parse_integer(match["hour"])
    behind = match.string[match.end() :]
    if hour is None or hour > LARGEST_HOUR or NOT_TIME_BEFORE.search(_before(match)):
        return None
    if behind.startswith(("点", "刻", "分", "钟")):
        return None  # 八点十二点, 三点五十分钟
    if match["half"]:
        return f"{hour}:30"
    if match["quarter"]:
        return f"{hour}:{15 if match['quarter'] == '一' else 45}"
    spoken, text, before = match["minute"], match.string, _before(match)
    padded, minute = _below_sixty(spoken)
    _, second = _below_sixty(match["second"]) if match["second"] else (False, None)
    if minute is None or (match["second"] and second is None):
        return None
    said = TIME_BEFORE.search(before) is not None
    if match["mark"]:
        if SCORED_BEFORE.search(before):
            return None
        # 七点五分 may be a mark of 7.5, and 三点十分重要 three points.
        certain = said or padded or minute > 10 or bool(match["second"])
        if spoken == "十" and not match["second"]:
            certain = TIME_BEHIND.match(text, match.end()) is not None
    elif padded:
        unit = DECIMAL_UNIT.match(text, match.end())
        certain = hour > 0 and not unit and (said or _is_bare(match))
    else:
        counts = COUNTS.match(behind) or MEASURED.match(behind)
        certain = minute > 10 and not counts and not LETTER_BEFORE.search(before)  # python三点十一
    if not certain:
        return None
    return f"{hour}:{minute:02}" + ("" if second is None else f":{second:02}")


def _below_sixty(spoken: str) -> tuple[bool, int | None]:
    """Return whether minutes or seconds are said with a zero, and their number if it is one."""
    padded = spoken[0] in "零〇" and len(spoken) == 2
    value = parse_integer(spoken[1:] if padded else spoken)
    is_one = value is not None and value < (10 if padded else 60)
    return padded, value if is_one else None


def _amount(match: re.Match[str]) -> str | None:
    """十二块五毛八 → 12块5毛8."""
    whole = parse_integer(match["whole"])
    if whole is None or not match["dime"]:
        return None
    if not (match["dime_mark"] and (match["cent_mark"] or not match["cent"])):
        if match["unit"] == "元" and not match["dime_mark"]:
            return None
        if not AMOUNT_ENDS.match(match.string, match.end()):
            return None
    parts = (digits_of(match["dime"]), match["dime_mark"] or "")
    cents = (digits_of(match["cent"]), match["cent_mark"]) if match["cent"] else ()
    return "".join([str(whole), match["unit"], *parts, *cents])


def _height(match: re.Match[str]) -> str | None:
    """一米七五 → 1米75; 一米七 stays, as 三块 does, and 一米七八 may be vague."""
    part = digits_of(match["part"])
    return None if _is_vague_pair(part) else f"{parse_integer(match['whole'])}米{part}"


def _degrees(match: re.Match[str]) -> str | None:
    """三十七度五 → 37.5°."""
    whole = parse_integer(match["whole"])
    if whole is None or whole < 10 or not AMOUNT_ENDS.match(match.string, match.end()):
        return None
    return f"{whole}.{digits_of(match['part'])}°"


def _product(match: re.Match[str]) -> str | None:
    """十乘二十 → 10×20."""
    written = []
    for factor in re.split("乘以?", match[0]):
        whole, _, part = factor.partition("点")
        number = _decimal(whole, part)
        if number is None:
            return None
        written.append(number)
    return "×".join(written)


def _measures(match: re.Match[str]) -> str | None:
    """三小时二十分钟 → 3小时20分钟; 三年五个月 stays, as three years do."""
    written, before, any_large = "", "", False
    for number, unit in _MEASURE.findall(match[0]):
        value = parse_integer(number)
        if value is None or (before and unit not in PARTS.get(before, ())):
            return None
        written += f"{write_integer(value)}{unit}"
        any_large |= value >= 10
        before = unit
    return written if any_large else None


def _fixed_point(match: re.Match[str]) -> str | None:
    """三点一四 → 3.14, 三点五亿 → 3.5亿."""
    whole, part, text = match["whole"], match["part"], match.string
    number = _decimal(whole, part)
    if number is None or "两" in whole or text.startswith(("点", "刻"), match.end()):
        return None
    unit = bool(match["scale"] or match["unit"] or DECIMAL_UNIT.match(text, match.end()))
    before = _before(match)
    one_or_other = len(part) == 1 or (len(part) == 2 and _is_vague_pair(digits_of(part)))
    if one_or_other and text.startswith("分", match.end()) and not MARK_BEFORE.search(before):
        return None  # 八点五分 is a mark, or a time
    sure = unit or bool(match["minus"]) or NOT_TIME_BEFORE.search(before) is not None
    hour = 0 < int(float(number)) <= LARGEST_HOUR
    if not sure and (hour or len(part) == 1):
        padded = part[0] in "零〇" and len(part) == 2
        said = len(part) <= 2 and TIME_BEFORE.search(before)
        short = len(part) == 1 and COUNTS.match(text, match.end()) is not None
        if part == "一" and FIRST_POINT.match(text, match.end()):
            short = short or not LETTER_BEFORE.search(before)
        a_bit = (
            whole == "一"
            and len(part) == 1
            and not (_is_bare(match) or before.endswith(("是", "为", "约")))
        )
        if (hour and (padded or said)) or short or a_bit:
            return None
    minus = "-" if match["minus"] else ""
    return minus + number + (match["scale"] or "") + _UNITS.get(match["unit"] or "", "")


def _code(match: re.Match[str]) -> str | None:
    """一零零八七一 → 100871; not what is counted up (一二三), nor pairs (七八)."""
    figures, before = digits_of(match[0]), _before(match)
    if DATE_BEHIND.match(match.string, match.end()) or _are_years(match, figures):
        return None
    steps = {int(second) - int(first) for first, second in itertools.pairwise(figures)}
    if len(figures) > LONGEST_CODE or not steps:
        return None
    if len(figures) == 2:
        certain = SPELT_PAIR_BEFORE.search(before) is not None
    else:
        certain = len(steps) > 1 or steps == {0} or SPELT_BEFORE.search(before) is not None
    return figures if certain else None


def _are_years(match: re.Match[str], figures: str) -> bool:
    """Return whether a run of figures is several years: 二零二五二零二六, 二三二四赛季."""
    years = [int(figures[first : first + 4]) for first in range(0, len(figures), 4)]
    is_one = len(years) == 1 and 1950 <= years[0] <= 2100
    if SEASON.match(match.string, match.end()):
        return not is_one
    if NUMBERED_PAPER.match(match.string, match.end()) and len(figures) > 4:
        return True
    if match.string.startswith("年", match.end()) and len(figures) >= 4:
        return True  # one year is taken by a rule of its own
    follow = all(later == year + 1 for year, later in itertools.pairwise(years))
    return len(years) > 1 and len(figures) % 4 == 0 and 1900 <= years[0] <= 2100 and follow


def _whole(match: re.Match[str]) -> str | None:
    """一百零五 → 105; a lone numeral stays, and 十 where it counts nothing."""
    spoken = match["whole"]
    value = parse_integer(spoken)
    if value is None or value < 10:
        return None
    before = _before(match)[-1:]
    behind = match.string[match.end("whole") : match.end("whole") + 1]
    if behind == "月" and value > 12:
        return None
    if behind in ("日", "号") and AFTER_MONTH.search(_before(match)):
        return None  # 四月三十二日
    shared = SHARED_UNIT.match(match.string, match.end())
    if shared and not AMOUNT_ENDS.match(match.string, shared.end()):
        following = _NEXT_COUNTED.match(match.string, shared.end())
        if following is None or parse_integer(following["number"]) is None:
            return None
    if spoken == "十" and before != "第" and not COUNTED.match(match.string, match.end("whole")):
        return None
    return (
        ("-" if match["minus"] else "") + write_integer(value) + _UNITS.get(match["unit"] or "", "")
    )


# A second number with something of its own that it counts: 两百米三十秒; not 十米五个.
_NEXT_COUNTED = re.compile(
    f"(?P<number>[{NUMERALS}]*[十百千万亿][{NUMERALS}]*)(?:{COUNTED.pattern}|{MEASURED.pattern})"
)
_MEASURE = re.compile(f"({_N})({PART_UNIT})")

RULES: tuple[tuple[re.Pattern[str], Rule], ...] = tuple(
    (re.compile(pattern), rule)
    for pattern, rule in [
        (rf"(?P<kind>[百千])分之(?P<whole>{_N})(?:点(?P<part>{_D}{{1,12}}))?", _rate),
        (rf"(?P<bottom>{_N})分之(?P<top>{_N})", _fraction),
        (rf"(?:{_YEAR})?{_MONTH}{_DAY}", _date),
        (rf"{_YEAR}{_MONTH}", _date),
        (_YEAR, _date),
        (rf"(?P<year>{_D}{{2}})年(?![级級])", _short_year),
        ("(?P<year>[零一五六七八九][零五])后", _decade),
        (rf"(?P<hour>{_N})点(?P<half>半)(?P<quarter>)(?P<minute>)(?!点)", _time),
        (rf"(?P<hour>{_N})点(?P<half>)(?P<quarter>[一三])刻(?!钟)", _time),
        (
            rf"(?P<hour>{_N})点(?P<half>)(?P<quarter>)(?P<minute>{_N})"
            rf"(?:(?P<mark>分(?![之钟]))(?:(?P<second>{_N})秒)?)?",
            _time,
        ),
        (
            rf"(?P<whole>{_N})(?P<unit>[块元])(?P<dime>[一二两三四五六七八九])"
            r"(?:(?P<dime_mark>[毛角])(?:(?P<cent>[一二三四五六七八九])(?P<cent_mark>分?))?)?",
            _amount,
        ),
        (rf"(?P<whole>[一二两三])米(?P<part>{_D}{{2}})(?!{_D})", _height),
        (rf"(?P<whole>{_N})度(?P<part>[一二三四五六七八九])", _degrees),
        (rf"{_N}(?:点{_D}{{1,12}})?(?:乘以?{_N}(?:点{_D}{{1,12}})?){{1,4}}", _product),
        (rf"(?:{_N}(?:{PART_UNIT})){{2,4}}", _measures),
        (
            rf"(?P<minus>负)?(?P<whole>{_N})点(?P<part>{_D}{{1,20}})"
            rf"(?P<scale>万亿|[万亿])?(?P<unit>{_UNIT})?",
            _fixed_point,
        ),
        ("[零〇一二三四五六七八九幺]+", _code),
        (rf"(?P<minus>负)?(?P<whole>{_N})(?P<unit>{_UNIT})?", _whole),
    ]
)
