"""Whole numbers in English: words to values, and values to all that they may be said."""

from __future__ import annotations

from collections.abc import Sequence

_ONES = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
_TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
ONES = _ONES.split()
TENS = ["", "", *_TENS.split()]
SCALES = {"thousand": 10**3, "million": 10**6, "billion": 10**9, "trillion": 10**12}
CARDINALS = frozenset([*ONES, *filter(None, TENS), "hundred", *SCALES])

_IRREGULAR = {
    "one": "first",
    "two": "second",
    "three": "third",
    "five": "fifth",
    "eight": "eighth",
    "nine": "ninth",
    "twelve": "twelfth",
}


def ordinal_word(cardinal: str) -> str:
    """Return the ordinal of one cardinal word: twenty → twentieth."""
    if cardinal in _IRREGULAR:
        return _IRREGULAR[cardinal]
    return (cardinal[:-1] + "ie" if cardinal.endswith("y") else cardinal) + "th"


ORDINALS = {ordinal_word(word): word for word in CARDINALS - {"zero"}}
FRACTIONS = {
    f"{ordinal}s": ONES.index(word)
    for ordinal, word in ORDINALS.items()
    if word in ONES[3:11] and ordinal != "fourths"
}


def say_cardinal(number: int) -> str:
    """Say a whole number below 10^15, without "and": one hundred twenty three."""
    for name, scale in reversed(SCALES.items()):
        if number >= scale:
            high, low = divmod(number, scale)
            return f"{say_cardinal(high)} {name}" + (f" {say_cardinal(low)}" if low else "")
    if number >= 100:
        high, low = divmod(number, 100)
        return f"{ONES[high]} hundred" + (f" {say_cardinal(low)}" if low else "")
    if number < len(ONES):
        return ONES[number]
    high, low = divmod(number, 10)
    return TENS[high] + (f" {ONES[low]}" if low else "")


def say_digits(figures: str) -> str:
    """Read figures out one by one."""
    return " ".join(ONES[int(figure)] for figure in figures)


def say_ordinal(number: int) -> str:
    """Say an ordinal: twenty first."""
    *head, last = say_cardinal(number).split()
    return " ".join([*head, ordinal_word(last)])


def pair_readings(number: int) -> list[str]:
    """Return how years and room numbers are said: nineteen ninety eight, one sixty six."""
    high, low = divmod(number, 100)
    if not 1 <= high <= 99:
        return []
    if low >= 10:
        return [f"{say_cardinal(high)} {say_cardinal(low)}"]
    if low:
        return [f"{say_cardinal(high)} zero {ONES[low]}"]
    return []


def parse_cardinal(words: Sequence[str]) -> int | None:
    """Return the value of a spoken number; None unless it is said as one says it.

    "and" may stand behind a hundred or a thousand; twenty five hundred is 2500.
    """
    if not words or words[0] == "and" or words[-1] == "and":
        return None
    total = section = 0
    for index, word in enumerate(words):
        if word in SCALES:
            total += section * SCALES[word]
            section = 0
        elif word == "hundred":
            section *= 100
        elif word == "and":
            if words[index - 1] not in ("hundred", *SCALES):
                return None
        elif word in TENS:
            section += TENS.index(word) * 10
        elif word in ONES:
            section += ONES.index(word)
        else:
            return None
    value = total + section
    spoken = " ".join(word for word in words if word != "and")
    if value >= 10**15 or spoken not in (say_cardinal(value), *hundred_readings(value)):
        return None
    return value


def parse_ordinal(words: Sequence[str]) -> int | None:
    """Return the value of a spoken ordinal: twenty first → 21."""
    if not words or words[-1] not in ORDINALS:
        return None
    return parse_cardinal([*words[:-1], ORDINALS[words[-1]]])


def hundred_readings(value: int) -> list[str]:
    """Return how a number from 1100 on is said by hundreds: twelve hundred fifty."""
    high, low = divmod(value, 100)
    if not 11 <= high <= 99 or not high % 10:
        return []
    return [f"{say_cardinal(high)} hundred" + (f" {say_cardinal(low)}" if low else "")]


def split_pair(words: Sequence[str]) -> tuple[int, int] | None:
    """Split "nineteen ninety eight" and "twenty oh five" into the numbers that they consist of."""
    for place in (1, 2):
        high, rest = parse_cardinal(words[:place]), list(words[place:])
        if high is None or not 1 <= high <= 99:
            continue
        if len(rest) == 2 and rest[0] in ("oh", "zero"):
            low = parse_cardinal(rest[1:])
            if low is not None and 1 <= low <= 9:
                return high, low
        low = parse_cardinal(rest)
        if low is not None and 10 <= low <= 99:
            return high, low
    return None


def write_cardinal(number: int) -> str:
    """Write a number in figures; whole millions and more as they are said: 5 million."""
    for name, scale in reversed(SCALES.items()):
        if scale >= 10**6 and number >= scale and number % scale == 0:
            return f"{number // scale} {name}"
    return str(number)


def suffix(number: int) -> str:
    """Return what is written behind the figures of an ordinal."""
    if number // 10 % 10 == 1:
        return "th"
    return {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
