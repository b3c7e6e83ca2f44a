"""Numbers read the Chinese way."""

from __future__ import annotations

DIGITS = "零一二三四五六七八九"


def integer_characters(value: int) -> str:
    """Reads a number below 10^12 the Chinese way (305 -> 三百零五, 12 -> 十二)."""
    if value == 0:
        return "零"
    text, pending_zero = "", False
    for unit, name in ((10**8, "亿"), (10**4, "万"), (1, "")):
        group = value // unit % 10**4
        if group == 0:
            pending_zero = bool(text)
            continue
        if text and (pending_zero or group < 1000):
            text += "零"
        text += _group_characters(group) + name
        pending_zero = False
    return text[1:] if text.startswith("一十") else text


def _group_characters(group: int) -> str:
    text, zero = "", False
    for unit, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
        digit = group // unit % 10
        if digit == 0:
            zero = bool(text)
            continue
        text += ("零" if zero else "") + DIGITS[digit] + name
        zero = False
    return text
