"""Whole numbers and decimals in Chinese: words to values, and values to all that they may be said.

Words are in one spelling here: `plain` writes 二 for 两, 一 for 幺, 零 for 〇.
"""

from __future__ import annotations

import re

DIGITS = "零一二三四五六七八九"
NUMERALS = DIGITS + "十百千万亿两幺〇"

_PLAIN = str.maketrans("两幺〇", "二一零")
_PLACES = ((1000, "千"), (100, "百"), (10, "十"))
_VALUES = {"十": 10, "百": 100, "千": 1000, "万": 10**4, "亿": 10**8}
# 两 counts before a place (两百), never at the end of a number, where it is a weight (十两).
_MISPLACED_TWO = re.compile("两(?![百千万亿])")
# 一百五 is 150: a last digit stands one place below the one named before it.
_SHORT = re.compile("([百千万亿])([一二三四五六七八九])$")
_LONG = ("百X十", "千X百", "万X千", "亿X千万")
# Many say 零 between sections though no place is missing: 二十万零三千.
_GAP = re.compile("([万亿])(?=[一二三四五六七八九]千)")
LARGEST = 10**16


def plain(words: str) -> str:
    """Return words in the one spelling that this module reads and writes."""
    return words.translate(_PLAIN)


def say_integer(number: int) -> str:
    """Say a whole number, 0 ≤ number < 10^16, as it is read out: 一万零五十."""
    if number >= 10**8:
        high, low = divmod(number, 10**8)
        words = say_integer(high) + "亿"
        missing = low < 10**7
    elif number >= 10**4:
        high, low = divmod(number, 10**4)
        words = say_integer(high) + "万"
        missing = low < 10**3
    else:
        return _say_section(number)
    if low == 0:
        return words
    rest = say_integer(low)
    if rest.startswith("十"):
        rest = "一" + rest
    return words + ("零" if missing else "") + rest


def _say_section(number: int) -> str:
    """Say a number below 10^4."""
    if number == 0:
        return "零"
    words, skipped = "", False
    for place, name in _PLACES:
        digit, number = divmod(number, place)
        if digit:
            words += ("零" if skipped else "") + DIGITS[digit] + name
        skipped = bool(words) and not digit and (skipped or number > 0)
    if number:
        words += ("零" if skipped else "") + DIGITS[number]
    return words.removeprefix("一") if words.startswith("一十") else words


def integer_readings(number: int) -> list[str]:
    """Return what a number may be said: in full, and in other forms 一百五, 一万零十五, 一十五."""
    full = say_integer(number)
    readings = [full]
    for form in _LONG:
        unit, ending = form.split("X")
        if re.search(f"{unit}[{DIGITS[1:]}]{ending}$", full):
            readings.append(full.removesuffix(ending))
    if "零一十" in full:
        readings += [words.replace("零一十", "零十") for words in readings]
    for place in [match.end() for match in _GAP.finditer(full)][::-1]:
        readings += [f"{words[:place]}零{words[place:]}" for words in readings]
    if full.startswith("十"):
        readings += [f"一{words}" for words in readings]
    return readings


def parse_integer(words: str) -> int | None:
    """Return the value of a spoken whole number; None unless it is said as one says it.

    A run of numerals that is two numbers (二三十, 三七二十一) or a vague one (百八十) is none.
    """
    if _MISPLACED_TWO.search(words) and words != "两":
        return None
    spoken = plain(words)
    if "幺" in words or not spoken:
        return None
    short = _SHORT.search(spoken)
    if short:
        spoken = spoken[: short.start(2)] + _long_form(short[1], short[2])
    value = _value(spoken)
    if value is None or value >= LARGEST or plain(words) not in integer_readings(value):
        return None
    return value


def _long_form(unit: str, digit: str) -> str:
    ending = next(form for form in _LONG if form[0] == unit)
    return digit + ending[2:]


def _value(spoken: str) -> int | None:
    """Add up numerals, whatever their order: the caller says the sum and compares."""
    for unit in "亿万":
        if unit in spoken:
            high, _, low = spoken.rpartition(unit)
            left, right = _value(high), _value(low) if low else 0
            return None if left is None or right is None else left * _VALUES[unit] + right
    total, digit = 0, None
    for numeral in spoken:
        if numeral in DIGITS:
            digit = DIGITS.index(numeral) or None
        else:
            total += (1 if digit is None else digit) * _VALUES[numeral]
            digit = None
    return total + (digit or 0) if spoken else None


def digits_of(words: str) -> str:
    """Return the figures of numerals that are read out one by one."""
    return "".join(str(DIGITS.index(numeral)) for numeral in plain(words))


def say_digits(figures: str) -> str:
    """Read figures out one by one."""
    return "".join(DIGITS[int(figure)] for figure in figures)


def write_integer(number: int) -> str:
    """Write a number in figures; round ones from a million with 万 and 亿, as they are read."""
    if number < 10**6 or number % 10**4:
        return str(number)
    high, low = divmod(number, 10**8)
    if low == 0 and high % 10**4 == 0:
        return f"{high // 10**4}万亿"
    return (f"{high}亿" if high else "") + (f"{low // 10**4}万" if low else "")
