"""What a written English number sounds like: the proof that a rewrite changes no meaning.

The spoken words are compared without "and", with "oh" as zero and "double three" as three three.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .english_numbers import (
    FRACTIONS,
    ONES,
    hundred_readings,
    pair_readings,
    say_cardinal,
    say_digits,
    say_ordinal,
)

_TOKEN = re.compile(
    r"(?P<hour>\d+):(?P<minute>\d\d)"
    r"|(?P<currency>[$€])(?P<amount>\d+)(?:\.(?P<cents>\d\d))?"
    r"(?P<scale> (?:m|b|tr)illion)?"
    r"|(?P<top>\d+)/(?P<bottom>\d+)"
    r"|(?P<ordinal>\d+)(?:st|nd|rd|th)\b"
    r"|(?P<minus>-)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    r"|(?P<percent>%)"
    r"|(?P<word>[a-z.]+)"
)
REPEATS = {"double": 2, "triple": 3, "treble": 3}
_CURRENCIES = {"$": ("dollar", "dollars"), "€": ("euro", "euros")}
_WORDS = {"p.m.": ("p m", "pm"), "a.m.": ("a m", "am")}


def spoken_form(words: Sequence[str]) -> list[str]:
    """Return words in the one spelling in which they are compared."""
    form: list[str] = []
    repeat = 1
    for word in words:
        if word in REPEATS:
            repeat = REPEATS[word]
        elif word != "and":
            form += ["zero" if word in ("oh", "o") else word] * repeat
            repeat = 1
    return " ".join(form).replace("per cent", "percent").split()


def reads_as(written: str, words: Sequence[str]) -> bool:
    """Return whether a written form can be read out as the words that were spoken."""
    spoken = " ".join(spoken_form(words)) + " "
    ends = {0}
    for token in _TOKEN.finditer(written):
        ends = {
            end + len(reading) + 1
            for end in ends
            for reading in _readings(token)
            if spoken.startswith(f"{reading} ", end)
        }
    return len(spoken) in ends


def _readings(token: re.Match[str]) -> Sequence[str]:
    if token["hour"]:
        return _time(int(token["hour"]), int(token["minute"]))
    if token["currency"]:
        return _money(token)
    if token["bottom"]:
        top, bottom = int(token["top"]), int(token["bottom"])
        return [f"{ONES[top]} {word}" for word, value in FRACTIONS.items() if value == bottom]
    if token["ordinal"]:
        return [say_ordinal(int(token["ordinal"]))]
    if token["minus"]:
        return ["minus", "negative"]
    if token["percent"]:
        return ["percent"]
    if token["word"]:
        return _WORDS.get(token["word"], (token["word"],))
    return _number(token["number"])


def _number(figures: str) -> list[str]:
    whole, _, part = figures.partition(".")
    if part:
        wholes = [f"{say_cardinal(int(whole))} ", *([""] if whole == "0" else [])]
        return [f"{said}point {say_digits(part)}" for said in wholes]
    readings = [say_digits(whole)]
    if not whole.startswith("0") and int(whole) < 10**15:
        readings += [say_cardinal(int(whole)), say_ordinal(int(whole))]
        readings += [*pair_readings(int(whole)), *hundred_readings(int(whole))]
    return readings


def _time(hour: int, minute: int) -> list[str]:
    now, following = say_cardinal(hour), say_cardinal(hour % 12 + 1)
    readings = [f"{now} {'zero ' if minute < 10 else ''}{say_cardinal(minute)}"]
    names = {15: ["quarter", "a quarter"], 30: ["half"]}
    if 0 < minute <= 30:
        readings += [f"{name} past {now}" for name in names.get(minute, [say_cardinal(minute)])]
    if minute >= 30:
        rest = 60 - minute
        readings += [f"{name} to {following}" for name in names.get(rest, []) if name != "half"]
    return readings


def _money(token: re.Match[str]) -> list[str]:
    amount, cents, scale = int(token["amount"]), token["cents"], token["scale"] or ""
    singular, plural = _CURRENCIES[token["currency"]]
    said = [say_cardinal(amount) + scale]
    if not scale:
        said += [*pair_readings(amount), *hundred_readings(amount)]
    unit = singular if amount == 1 and not scale else plural
    if cents is None:
        return [f"{words} {unit}" for words in said]
    count = int(cents)
    coin = "cent" if count == 1 else "cents"
    return [f"{words} {unit} {say_cardinal(count)} {coin}" for words in said]
