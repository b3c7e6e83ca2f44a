"""English neighbours that leave it open what a number means, or how long it is."""

from __future__ import annotations

from collections.abc import Sequence

from .english_numbers import CARDINALS, ORDINALS, SCALES, parse_cardinal
from .english_words import CURRENCIES

_CLOCK_HOURS = 12
_WAYS = frozenset(["past", "after", "to", "before", "till"])
_SCALES = frozenset(["hundred", *SCALES])
_MOST_WORDS = 20
_NUMBER_WORDS = CARDINALS | {"and"}
# What makes the last "one" of a number a word of its own: twenty one way streets.
_ONE_BEHIND = frozenset(["way", "time", "off"])
_ONE_TO_ONE = frozenset(["on", "to", "by"])
_NOTES = frozenset(["bill", "bills", "note", "notes", "coin", "coins"])


def is_in_doubt(words: Sequence[str], start: int, end: int) -> bool:
    """Return whether a stretch of number words stays words for what stands beside it."""
    behind = [*words[end : end + 3], "", "", ""]
    if start and words[start - 1] in ("half", "dot"):  # half ten
        return True
    if behind[0] == "dot":  # one ninety two dot one: the single numbers stay words
        return True
    if behind[0].endswith("s") and behind[0][:-1] in ORDINALS and behind[0] != "seconds":
        return True  # ten elevenths
    return (
        _is_beside_hour(behind)
        or (end > start + 1 and words[end - 1] == "one" and _is_one_of_its_own(behind))
        or _may_share_scale(words, start, end)
    )


def number_before(words: Sequence[str], end: int) -> Sequence[str]:
    """Return the number words that end at a place; none needs more of them than are looked at."""
    first = end
    while first > max(end - _MOST_WORDS, 0) and words[first - 1] in _NUMBER_WORDS:
        first -= 1
    return words[max(first, 0) : max(end, 0)]


def number_behind(words: Sequence[str], start: int) -> Sequence[str]:
    """Return the number words that begin at a place, as `number_before` does."""
    last = start
    while last < min(start + _MOST_WORDS, len(words)) and words[last] in _NUMBER_WORDS:
        last += 1
    return words[start:last]


def _is_beside_hour(behind: Sequence[str]) -> bool:
    """Ten minutes to nine, ten after nine: figures would write the minutes alone."""
    if behind[0] in ("minute", "minutes"):
        way, hour = behind[1], behind[2]
        ways = _WAYS
    else:
        way, hour = behind[0], behind[1]
        ways = _WAYS - {"past", "to"}  # those have rules
    number = parse_cardinal([hour])
    return way in ways and number is not None and 1 <= number <= _CLOCK_HOURS


def _is_one_of_its_own(behind: Sequence[str]) -> bool:
    if behind[0] in _ONE_BEHIND or (behind[0] in _ONE_TO_ONE and behind[1] == "one"):
        return True
    return behind[0] in (*CURRENCIES, "pound") and behind[1] in _NOTES


def _may_share_scale(words: Sequence[str], start: int, end: int) -> bool:
    """Return whether a stretch is one side of "two to three hundred", which may be 200 to 300."""
    if start and words[start - 1] in ("to", "or"):
        return _shares_scale(number_before(words, start - 1), words[start:end])
    if end < len(words) and words[end] in ("to", "or"):
        return _shares_scale(words[start:end], number_behind(words, end + 1))
    if start and words[start - 1] == "between" and "and" in words[start:end]:
        place = start + list(words[start:end]).index("and")
        return _shares_scale(words[start:place], words[place + 1 : end])
    return False


def _shares_scale(left: Sequence[str], right: Sequence[str]) -> bool:
    if not right or right[-1] not in _SCALES or not _SCALES.isdisjoint(left):
        return False
    first, last = parse_cardinal(left), parse_cardinal(right[:-1])
    return first is not None and last is not None and first < last
