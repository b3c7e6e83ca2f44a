"""What each kind of spoken English number looks like, and how it is written."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from .english_dates import CLOCK_HOURS, CLOCK_MINUTES, clock, date, past_or_to
from .english_doubts import is_in_doubt, number_before, number_behind
from .english_numbers import (
    FRACTIONS,
    ONES,
    ORDINALS,
    SCALES,
    parse_cardinal,
    parse_ordinal,
    split_pair,
    suffix,
    write_cardinal,
)
from .english_readings import REPEATS, spoken_form
from .english_stretch import Proposal, Stretch
from .english_words import (
    CONNECTORS,
    CURRENCIES,
    DEGREES,
    MONTHS,
    NOT_NUMBERED,
    NUMBER_BEFORE,
    PARTS,
    POINT_BEHIND,
    POINT_OF,
    PRICE_BEFORE,
    PRICE_BEHIND,
    PRICE_ENDS,
    SHARED_UNITS,
    VAGUE_BEHIND,
    YEAR_BEFORE,
)


def propose(words: Sequence[str], start: int, end: int) -> list[Proposal]:
    """Return how a stretch may be written; nothing where any part of it is in doubt."""
    if end < len(words) and words[end] in VAGUE_BEHIND:
        return []
    if start and words[start - 1] == "point" and words[max(start - 2, 0)] not in POINT_OF:
        return _behind_point(words, start, end)
    if _is_part_of_amount(words, start, end) or is_in_doubt(words, start, end):
        return []
    proposals = _parts(words, start, end) or []
    if proposals and start and words[start - 1] == "between":  # "five and ten"
        first = parse_cardinal(words[start : start + 1])
        if first is not None and proposals[0].start > start and words[start + 1] == "and":
            proposals.insert(0, Proposal(start, start + 1, str(first)))
    return proposals


def _behind_point(words: Sequence[str], start: int, end: int) -> list[Proposal]:
    """Point five percent → 0.5%; anything else behind a point without a whole is in doubt."""
    stretch = Stretch(words, start, end)
    figures = spoken_form(stretch.own)
    per_cent = (stretch.after(), stretch.after(2)) == ("per", "cent")
    if not set(figures) <= set(ONES[:10]) or not (per_cent or stretch.after() == "percent"):
        return []
    if stretch.before(2) and stretch.before(2) not in POINT_BEHIND:
        return []
    part = "".join(str(ONES.index(word)) for word in figures)
    return [Proposal(start - 1, end + 1 + per_cent, f"0.{part}%")]


def _is_part_of_amount(words: Sequence[str], start: int, end: int) -> bool:
    """Return whether figures would stand beside a rest of the same number in words.

    "five foot eleven", "two dollars and fifty", "ten and a half", "ten to the sixth".
    """
    own, behind = words[start:end], list(words[end : end + 4])
    if behind[:1] == ["and"] and any(word in PARTS for word in behind[1:3]):
        return True
    if behind[:2] == ["to", "the"] and behind[2:3] and behind[2] in ORDINALS:
        return True
    if start >= 3 and own[-1] in ORDINALS and list(words[start - 2 : start]) == ["to", "the"]:
        return parse_cardinal(words[start - 3 : start - 2]) is not None
    if "and" in own and (own[-1] in PARTS or (behind[:1] and behind[0] in PARTS)):
        return True
    before = start - (words[start - 1] == "and") if start else 0
    if before >= 2 and words[before - 1] in SHARED_UNITS:
        counted = words[before - 2] == "a" or parse_cardinal([words[before - 2]]) is not None
        return counted and not _counts(words, end)
    if behind and behind[0] in SHARED_UNITS:
        rest = end + 1 + (behind[1:2] == ["and"])
        after = rest
        while after < len(words) and parse_cardinal(words[rest : after + 1]) is not None:
            after += 1
        return after > rest and not _counts(words, after)
    return False


def _counts(words: Sequence[str], end: int) -> bool:
    """Return whether a number that ends here counts something of its own: cents, people."""
    return end < len(words) and (words[end] in ("cent", "cents") or words[end].endswith("s"))


def _parts(words: Sequence[str], start: int, end: int) -> list[Proposal] | None:
    """Take a stretch for one number, or for several with "and" between; None if it is neither."""
    whole = _interpret(Stretch(words, start, end))
    if whole is not None:
        return whole
    for place in range(end - 2, start, -1):
        if words[place] == "and":
            right = _interpret(Stretch(words, place + 1, end))
            left = None if right is None else _parts(words, start, place)
            return None if left is None or right is None else left + right
    return None


def _interpret(stretch: Stretch) -> list[Proposal] | None:
    """Return what one number is written as: [] if in words, None if it is not one number."""
    for rule in (date, past_or_to, clock, _with_unit, _decimal, _fraction, _ordinal):
        proposal = rule(stretch)
        if proposal is not None:
            return [proposal]
    value = parse_cardinal(stretch.own)
    if value is not None:
        return _cardinal(stretch, value)
    if stretch.own[-1] in ORDINALS:
        return [] if len(stretch.own) == 1 else None
    written = _pair(stretch) or _digits(stretch)
    return [Proposal(stretch.start, stretch.end, written)] if written else None


def _cardinal(stretch: Stretch, value: int) -> list[Proposal]:
    start = stretch.start
    negative = _is_negative(stretch)
    # "ten minus five" is a subtraction.
    if negative and parse_cardinal([stretch.before(2)]) is None:
        if value >= 10 or stretch.after() in DEGREES:
            return [Proposal(start - 1, stretch.end, "-" + write_cardinal(value))]
        return []
    others = [
        other
        for connector, words in [
            (stretch.after(), number_behind(stretch.words, stretch.end + 1)),
            (stretch.before(), number_before(stretch.words, start - 1)),
        ]
        if connector in CONNECTORS and (other := parse_cardinal(words)) is not None
    ]
    # Both ends of a range are written alike; "ten to five" may be a time of day.
    if "to" in (stretch.after(), stretch.before()) and others:
        left, right = (value, others[0]) if stretch.after() == "to" else (others[-1], value)
        if left >= right and right <= CLOCK_HOURS:
            return []
    large = max(value, *others, 0) >= 10
    return [Proposal(start, stretch.end, write_cardinal(value))] if large else []


def _is_negative(stretch: Stretch) -> bool:
    """Return whether a number has a sign; "plus or minus twenty" has two."""
    is_signed = stretch.before() in ("minus", "negative")
    return is_signed and stretch.before(2) not in ("plus", "or")


def _with_unit(stretch: Stretch) -> Proposal | None:
    """Thirty percent → 30%, one dollar and fifty cents → $1.50."""
    number = _number(stretch.own)
    if number is None:
        return None
    per_cent = (stretch.after(), stretch.after(2)) == ("per", "cent")
    if stretch.after() == "percent" or per_cent:
        return Proposal(stretch.start, stretch.end + 1 + per_cent, f"{number}%")
    sign = CURRENCIES.get(stretch.after())
    amount = parse_cardinal(stretch.own)
    if sign is None or amount is None:
        return None
    place = stretch.end + 1 + (stretch.after(2) == "and")
    for length in (2, 1):
        cents = parse_cardinal(list(stretch.words[place : place + length]))
        if cents and cents < 100 and stretch.word(place + length) in ("cent", "cents"):
            return Proposal(stretch.start, place + length + 1, f"{sign}{amount}.{cents:02}")
    if amount == 1 or not stretch.after().endswith("s"):  # "not one dollar", "a ten dollar bill"
        return None
    return Proposal(stretch.start, stretch.end + 1, sign + write_cardinal(amount))


def _number(words: Sequence[str]) -> str | None:
    """Return the figures of a cardinal or a decimal."""
    value = parse_cardinal(words)
    return str(value) if value is not None else _fixed_point(words)


def _fixed_point(words: Sequence[str]) -> str | None:
    if words.count("point") != 1:
        return None
    place = words.index("point")
    whole = parse_cardinal(words[:place])
    digits = spoken_form(words[place + 1 :])
    if whole is None or not digits or not set(digits) <= set(ONES[:10]):
        return None
    return f"{whole}." + "".join(str(ONES.index(word)) for word in digits)


def _decimal(stretch: Stretch) -> Proposal | None:
    """Two point five million → 2.5 million."""
    words, scale = stretch.own, ""
    if words[-1] in SCALES:
        words, scale = words[:-1], f" {words[-1]}"
    number = _fixed_point(words)
    if number is None:
        return None
    negative = _is_negative(stretch)
    sign = "-" if negative else ""
    return Proposal(stretch.start - negative, stretch.end, sign + number + scale)


def _fraction(stretch: Stretch) -> Proposal | None:
    """Two thirds → 2/3."""
    own = stretch.own
    if len(own) != 2 or own[1] not in FRACTIONS:
        return None
    top, bottom = parse_cardinal(own[:1]), FRACTIONS[own[1]]
    if top is None or not 1 < top < bottom:
        return None
    return Proposal(stretch.start, stretch.end, f"{top}/{bottom}")


def _ordinal(stretch: Stretch) -> Proposal | None:
    """Twenty first → 21st; "twenty second" may be a time, "one hundredth" and "a tenth" parts."""
    own = stretch.own
    value = parse_ordinal(own)
    if value is None or value < 10 or (own[-1] == "second" and len(own) > 1):
        return None
    if stretch.before() == "a" or (own[0] == "one" and len(own) == 2):
        return None
    return Proposal(stretch.start, stretch.end, f"{value}{suffix(value)}")


def _pair(stretch: Stretch) -> str | None:
    """Write a year (nineteen ninety eight) or a number said in two parts (one sixty six)."""
    pair = split_pair(stretch.own)
    before = stretch.before()
    if pair is None or before in PRICE_BEFORE:
        return None
    high, low = pair
    figures = str(high * 100 + low)
    if before == "is" and stretch.before(2) in NOT_NUMBERED:
        return None
    if before == "at" and low < CLOCK_MINUTES:
        return None  # of the clock, or a price
    if before in NUMBER_BEFORE:
        return figures
    if high < 10 and (low in PRICE_ENDS or stretch.after() in PRICE_BEHIND):
        return None
    if before in YEAR_BEFORE or before in MONTHS:
        return figures if 10 <= high <= 20 and stretch.after() not in CURRENCIES else None
    if high < 10:
        return figures if low >= CLOCK_MINUTES and stretch.own[-2] != "oh" else None
    if stretch.after().endswith("s") and stretch.after() not in ("is", "was", "has"):
        return None  # "fifteen twenty minutes"
    counted_up = low in (high + 1, high + 10, high + 5)
    return figures if 16 <= high <= 20 and not counted_up else None


def _digits(stretch: Stretch) -> str | None:
    """Write digits that are read out one by one: five five five one two three four."""
    own, cued = spoken_form(stretch.own), stretch.before() in NUMBER_BEFORE
    if "and" in stretch.own or not set(own) <= set(ONES[:10]) or len(own) < 3:
        return None
    values = [ONES.index(word) for word in own]
    steps = {second - first for first, second in itertools.pairwise(values)}
    counted = len(steps) == 1 and steps != {0}
    # "seven oh five" may be a time; a first "oh" may be surprise.
    unclear = stretch.own[0] == "oh" or (len(stretch.own) == 3 and stretch.own[1:2] == ["oh"])
    unclear = unclear and stretch.own[0] not in REPEATS
    return None if not cued and (counted or unclear) else "".join(map(str, values))
