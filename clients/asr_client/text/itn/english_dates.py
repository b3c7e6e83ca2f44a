"""Spoken English dates and times of day, and how they are written."""

from __future__ import annotations

from collections.abc import Sequence

from .english_numbers import parse_cardinal, parse_ordinal, split_pair, suffix
from .english_stretch import Proposal, Stretch
from .english_words import BEFORE_MONTH, MONTHS, STREETS, TIME_BEFORE, VERB_MONTHS

CLOCK_HOURS = 12
CLOCK_MINUTES = 60
_DAY_HOURS = 24
_LARGEST_DAY = 31
_QUARTERS = {"half": 30, "quarter": 15}


def date(stretch: Stretch) -> Proposal | None:
    """July fifth twenty twenty six → July 5 2026."""
    own, before = stretch.own, stretch.before()
    the = before == "the"
    month, preceding = stretch.before(1 + the), stretch.before(2 + the)
    if month not in MONTHS:
        if stretch.after() == "of" and stretch.after(2) in MONTHS:
            day = _day(own)
            if day is not None:
                return Proposal(stretch.start, stretch.end, f"{day}{suffix(day)}")
        return None
    for end in range(len(own), 0, -1):
        day, year = _day(own[:end]), _year(own[end:])
        if end < len(own) and year is None:
            continue
        if day is None and year:
            number = parse_cardinal(own[:end])
            day = number if number and number <= _LARGEST_DAY else None
        sure = bool(year) or month not in VERB_MONTHS or preceding in BEFORE_MONTH
        if day is not None and sure:
            written = f"{day}{suffix(day)}" if the else str(day)
            return Proposal(stretch.start, stretch.end, written + (f" {year}" if year else ""))
    return None


def _day(words: Sequence[str]) -> int | None:
    """Return the value of an ordinal that is a day of a month."""
    value = parse_ordinal(words)
    return value if value is not None and value <= _LARGEST_DAY else None


def _year(words: Sequence[str]) -> int | None:
    value = parse_cardinal(words) if words else None
    if value is not None and 1000 <= value <= 2100:
        return value
    split = split_pair(words)
    return split[0] * 100 + split[1] if split and 10 <= split[0] <= 20 else None


def past_or_to(stretch: Stretch) -> Proposal | None:
    """Half past three → 3:30, twenty past five → 5:20."""
    hour = parse_cardinal(stretch.own)
    minute = _QUARTERS.get(stretch.before(2), 0)
    way = stretch.before()
    if minute and hour is not None and 1 <= hour <= CLOCK_HOURS and way in ("past", "to"):
        if way == "to":
            if minute != _QUARTERS["quarter"]:
                return None
            hour, minute = (hour - 2) % CLOCK_HOURS + 1, CLOCK_MINUTES - minute
        start = stretch.start - 2 - (stretch.before(3) == "a")
        return Proposal(start, stretch.end, f"{hour}:{minute}")
    following = parse_cardinal([stretch.after(2)])
    if hour is None or stretch.after() != "past" or following is None:
        return None
    if not 10 <= hour < _QUARTERS["half"] or not 1 <= following <= CLOCK_HOURS:
        return None
    return Proposal(stretch.start, stretch.end + 2, f"{following}:{hour}")


def clock(stretch: Stretch) -> Proposal | None:
    """Three thirty p m → 3:30 p.m., at seven oh five → 7:05."""
    after = stretch.after()
    spelt = after in ("a", "p") and stretch.after(2) == "m"
    half = after in ("am", "pm") or spelt
    pair = split_pair(stretch.own)
    # At one twenty three main street.
    in_street = not STREETS.isdisjoint((stretch.after(2), stretch.after(3)))
    if half and pair is None:
        hour = parse_cardinal(stretch.own)
        if hour is None or not 1 <= hour <= CLOCK_HOURS or stretch.after(2) in ("i", "not"):
            return None
        written = str(hour)
    elif pair and 1 <= pair[0] <= CLOCK_HOURS and pair[1] < CLOCK_MINUTES:
        if not half and (in_street or stretch.before() not in TIME_BEFORE):
            return None
        written = f"{pair[0]}:{pair[1]:02}"
    elif pair and CLOCK_HOURS < pair[0] < _DAY_HOURS and 10 <= pair[1] < CLOCK_MINUTES:
        if half or in_street or stretch.before() != "at" or stretch.before(2) == "look":
            return None  # until nineteen forty, a year
        written = f"{pair[0]}:{pair[1]}"
    else:
        return None
    if spelt:
        return Proposal(stretch.start, stretch.end + 2, f"{written} {after}.m.")
    return Proposal(stretch.start, stretch.end, written)
