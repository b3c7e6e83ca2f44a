"""What a written Chinese number sounds like: the proof that a rewrite changes no meaning.

A form is read back word by word and must give what was spoken, up to 两 and 二, 幺 and 一, 〇 and
零. Nothing here knows how the form was made.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from .chinese_numbers import DIGITS, LARGEST, integer_readings, plain, say_digits, say_integer

# How a unit of measure is written, and the words for it.
UNIT_WORDS = {
    "km²": ("平方公里", "平方千米"),
    "m²": ("平方米",),
    "m³": ("立方米",),
    "cm²": ("平方厘米",),
    "km/h": ("公里每小时", "千米每小时"),
    "°C": ("摄氏度",),
    "kg": ("公斤", "千克"),
    "km": ("公里", "千米"),
    "cm": ("厘米",),
    "mm": ("毫米",),
    "ml": ("毫升",),
}
_UNITS = "|".join(sorted(UNIT_WORDS, key=len, reverse=True))
_TOKEN = re.compile(
    r"(?P<time>\d+:\d\d(?::\d\d)?)"
    r"|(?P<top>\d+)/(?P<bottom>\d+)"
    r"|(?P<rate>\d+(?:\.\d+)?)(?P<sign>[%‰])"
    r"|(?P<degrees>\d+\.\d)°(?!C)"
    r"|(?P<number>\d+(?:\.\d+)?)"
    rf"|(?P<unit>{_UNITS})"
    r"|(?P<other>.)",
    re.DOTALL,
)
_SIGNS = {"-": ("负",), "×": ("乘", "乘以")}
_RATES = {"%": "百分之", "‰": "千分之"}


def reads_as(written: str, spoken: str) -> bool:
    """Return whether a written form can be read out as what was spoken."""
    words = plain(spoken)
    ends = {0}
    before = ""
    for token in _TOKEN.finditer(written):
        readings = _readings(token, before)
        ends = {
            end + len(reading)
            for end in ends
            for reading in readings
            if words.startswith(reading, end)
        }
        before = token[0]
    return len(words) in ends


def _readings(token: re.Match[str], before: str) -> Sequence[str]:
    """Return what may be said for a token that stands behind another."""
    if token["time"]:
        return _time(*map(int, token["time"].split(":")))
    if token["bottom"]:
        return [
            f"{below}分之{above}"
            for below in integer_readings(int(token["bottom"]))
            for above in integer_readings(int(token["top"]))
        ]
    if token["sign"]:
        return [_RATES[token["sign"]] + number for number in _number(token["rate"])]
    if token["degrees"]:
        whole, part = token["degrees"].split(".")
        return [f"{number}度{say_digits(part)}" for number in _number(whole)]
    if token["number"]:
        readings = _number(token["number"])
        if before == "亿":  # 一亿零三百万
            readings += [f"零{number}" for number in readings]
        return readings
    if token["unit"]:
        return UNIT_WORDS[token["unit"]]
    return _SIGNS.get(token["other"], (plain(token["other"]),))


def _number(figures: str) -> list[str]:
    whole, _, part = figures.partition(".")
    readings = [say_digits(whole)] if not part and len(whole) > 1 else []
    if (whole == "0" or not whole.startswith("0")) and int(whole) < LARGEST:
        if part:
            readings.append(f"{say_integer(int(whole))}点{say_digits(part)}")
        else:
            readings += integer_readings(int(whole))
    return readings


def _time(hour: int, minute: int, second: int | None = None) -> list[str]:
    minutes = [say_integer(minute)]
    if minute < len(DIGITS):
        minutes.append("零" + DIGITS[minute])
    readings = [f"{number}分" for number in minutes]
    if second is not None:
        seconds = ["", "零"] if second < len(DIGITS) else [""]
        said = [f"{zero}{say_integer(second)}秒" for zero in seconds]
        return [f"{say_integer(hour)}点{part}{rest}" for part in readings for rest in said]
    readings += minutes
    readings += {30: ["半"], 15: ["一刻"], 45: ["三刻"]}.get(minute, [])
    return [f"{say_integer(hour)}点{part}" for part in readings]
