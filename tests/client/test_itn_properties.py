"""Generated numbers of every kind: what is written is the number that was spoken.

Numbers are said here, and figures read here, by code of the tests: it shares nothing with the
product.
"""

from __future__ import annotations

import re
import sys
from datetime import date

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client.text.itn import find_numbers, normalize_numbers

FIGURES = "零一二三四五六七八九"
NUMERALS = "零〇一二三四五六七八九十百千万亿两幺"
RANDOM = settings(max_examples=100, deadline=None)
POWERS = {"": 1, "万": 10**4, "亿": 10**8, "万亿": 10**12}


def say(number: int, pair: str = "二") -> str:
    """Say a whole number; `pair` is how 2 is said before 百, 千, 万, 亿."""
    if number == 0:
        return "零"
    text, gap = "", False
    for power, unit in ((12, "万亿"), (8, "亿"), (4, "万"), (0, "")):
        section = number // 10**power % 10**4
        if not section:
            gap = gap or bool(text)
            continue
        if text and (gap or section < 1000):
            text += "零"
        gap, inner = False, ""
        for place, name in ((3, "千"), (2, "百"), (1, "十"), (0, "")):
            figure = section // 10**place % 10
            if figure:
                inner += FIGURES[figure] + name
            elif inner and section % 10**place:
                inner += "" if inner.endswith("零") else "零"
        text += inner + unit
    if text.startswith("一十"):
        text = text[1:]
    return re.sub("二(?=[百千万亿])", pair, text)


def say_each(figures: str) -> str:
    return "".join(FIGURES[int(figure)] for figure in figures)


def value_of(written: str) -> int:
    """Read figures, with 万 and 亿 behind them."""
    parts = re.findall(r"(\d+)(万亿|亿|万|)", written)
    assert "".join(figures + unit for figures, unit in parts) == written
    return sum(int(figures) * POWERS[unit] for figures, unit in parts)


wholes = st.one_of(
    st.integers(10, 9999),
    st.integers(10, 10**9),
    st.integers(1, 9999).map(lambda number: number * 10**4),
    st.integers(1, 99).map(lambda number: number * 10**8),
    st.integers(1, 10**8).map(lambda number: number * 1000),
    st.integers(1, 999).map(lambda number: number * 10**12),
)
pairs = st.sampled_from(["二", "两"])
frames = st.sampled_from([("共", "吧"), ("", ""), ("他说", "，对"), ("大约", "左右"), ("（", "）")])


@given(wholes, pairs, frames)
@RANDOM
def test_whole_numbers(number, pair, frame):
    before, after = frame
    spoken = say(number, pair)
    written = normalize_numbers(f"{before}{spoken}{after}")
    body = written.removeprefix(before).removesuffix(after)
    if spoken in ("十", "二百五"):
        assert body == spoken
    else:
        assert value_of(body) == number


@given(st.integers(0, 9999), st.text("0123456789", min_size=2, max_size=6), st.booleans())
@RANDOM
def test_decimals(whole, part, negative):
    sign = "负" if negative else ""
    written = normalize_numbers(f"结果等于{sign}{say(whole)}点{say_each(part)}")
    assert written == f"结果等于{'-' if negative else ''}{whole}.{part}"


@given(st.integers(0, 200), st.text("0123456789", max_size=3))
@RANDOM
def test_percent(whole, part):
    spoken = f"百分之{say(whole)}" + (f"点{say_each(part)}" if part else "")
    written = normalize_numbers(f"涨了{spoken}。")
    assert written == f"涨了{whole}{'.' + part if part else ''}%。"


@given(st.integers(1, 99), st.integers(2, 100).filter(lambda number: number != 100))
@RANDOM
def test_fractions(top, bottom):
    assert normalize_numbers(f"占{say(bottom)}分之{say(top)}") == f"占{top}/{bottom}"


@pytest.mark.parametrize("before", ["编号是", "电话", "订单号", "验证码是", "尾号"])
@given(st.text("0123456789", min_size=4, max_size=18))
@settings(max_examples=40, deadline=None)
def test_digits_read_out_are_one_run(before, figures):
    spoken = say_each(figures)
    assert normalize_numbers(before + spoken) == before + figures
    assert normalize_numbers(before + spoken.replace("一", "幺")) == before + figures
    assert normalize_numbers(before + spoken.replace("零", "〇")) == before + figures


@given(st.dates(date(1000, 1, 1), date(2999, 12, 31)), st.sampled_from("日号"))
@RANDOM
def test_dates(day, mark):
    spoken = f"{say_each(str(day.year))}年{say(day.month)}月{say(day.day)}{mark}"
    assert normalize_numbers(f"在{spoken}那天") == (
        f"在{day.year}年{day.month}月{day.day}{mark}那天"
    )
    short = f"{say(day.month)}月{say(day.day)}{mark}"
    assert normalize_numbers(short) == f"{day.month}月{day.day}{mark}"
    assert normalize_numbers(f"{say_each(str(day.year))}年") == f"{day.year}年"


@given(st.integers(0, 23), st.integers(1, 59), st.sampled_from(["上午", "晚上", "明天"]))
@RANDOM
def test_times(hour, minute, before):
    minutes = ("零" if minute < 10 else "") + say(minute)
    names = {15: "一刻", 30: "半", 45: "三刻"}
    said = "两" if hour == 2 else say(hour)
    expected = f"{before}{hour}:{minute:02}"
    assert normalize_numbers(f"{before}{said}点{minutes}分") == expected
    if minute != 10 and hour:
        assert normalize_numbers(f"{before}{said}点{minutes}") == expected
    if minute in names:
        assert normalize_numbers(f"{before}{said}点{names[minute]}") == expected


@given(
    st.integers(10, 10**7),
    st.sampled_from(
        ["元", "块钱", "美元", "欧元", "日元", "港币", "公里", "公斤", "升", "个人", "岁"]
    ),
)
@RANDOM
def test_money_and_measures(number, unit):
    written = normalize_numbers(f"是{say(number)}{unit}。")
    short = {"公里": "km", "公斤": "kg"}.get(unit, unit)
    assert written.endswith(f"{short}。")
    body = written.removeprefix("是").removesuffix(f"{short}。")
    assert value_of(body) == number or (number == 250 and body == "二百五")


@given(st.integers(1, 9999), st.integers(1, 9), st.integers(1, 9))
@RANDOM
def test_amounts(yuan, jiao, fen):
    expected = f"花了{yuan}块{jiao}毛{fen}"
    assert normalize_numbers(f"花了{say(yuan)}块{say(jiao)}毛{say(fen)}") == expected
    assert (
        normalize_numbers(f"{say(yuan)}元{say(jiao)}角{say(fen)}分") == f"{yuan}元{jiao}角{fen}分"
    )
    assert normalize_numbers(f"花了{say(yuan)}块{say(jiao)}") == f"花了{yuan}块{jiao}"


pieces = st.sampled_from(
    [
        *NUMERALS,
        *"点分之半刻块毛元年月日号个人岁米度第几多数来到比乘负",
        "百分之",
        "公斤",
        "小时",
        "分钟",
        "，",
        "今天",
        "的",
    ]
)


@given(st.lists(pieces, max_size=14).map("".join))
@settings(max_examples=300, deadline=None)
def test_no_half_of_a_number_is_left(text):
    written = normalize_numbers(text)
    for match in re.finditer(r"\d", written):
        beside = written[match.start() - 1 : match.start()] + written[match.end() : match.end() + 1]
        behind = written[match.end() : match.end() + 1]
        # 300万 and 2亿 are written so.
        assert not set(beside) & set(NUMERALS) - {"万", "亿"}, (text, written)
        if behind in ("万", "亿"):
            assert re.match(
                r"[万亿]{1,2}(?![零一二三四五六七八九十百千两])", written[match.end() :]
            )
    assert not re.search(r"\d\s\d", written)
    assert re.sub(r"\d+", "", written).count(" ") == text.count(" ")


@given(st.lists(pieces, max_size=14).map("".join))
@settings(max_examples=100, deadline=None)
def test_what_is_written_stays_as_it_is(text):
    once = normalize_numbers(text)
    assert normalize_numbers(once) == once


# English

SMALL = """
zero one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen
sixteen seventeen eighteen nineteen
"""
ENGLISH = SMALL.split()
TENS = "twenty thirty forty fifty sixty seventy eighty ninety"
DECADES = dict(enumerate(TENS.split(), 2))


def say_english(number: int, joint: str = " ", link: str = " ") -> str:
    """Say a whole number; `joint` stands in twenty-five, `link` behind hundreds."""
    for power, name in ((9, "billion"), (6, "million"), (3, "thousand"), (2, "hundred")):
        high, low = divmod(number, 10**power)
        if high:
            text = f"{say_english(high, joint, link)} {name}"
            if not low:
                return text
            return text + (link if low < 100 else " ") + say_english(low, joint, link)
    if number < 20:
        return ENGLISH[number]
    tens, ones = divmod(number, 10)
    return DECADES[tens] + (joint + ENGLISH[ones] if ones else "")


@given(st.integers(10, 10**10), st.sampled_from(" -"), st.sampled_from([" ", " and "]))
@RANDOM
def test_english_whole_numbers(number, joint, link):
    written = normalize_numbers(f"I count {say_english(number, joint, link)} apples")
    body = written.removeprefix("I count ").removesuffix(" apples")
    figures, _, scale = body.partition(" ")
    assert int(figures) * {"": 1, "million": 10**6, "billion": 10**9}[scale] == number


@given(st.integers(2, 999), st.integers(1, 99))
@RANDOM
def test_english_money_and_percent(number, cents):
    said = say_english(number)
    assert normalize_numbers(f"for {said} dollars") == f"for ${number}"
    unit = "cent" if cents == 1 else "cents"
    assert normalize_numbers(f"{said} dollars and {say_english(cents)} {unit}") == (
        f"${number}.{cents:02}"
    )
    assert normalize_numbers(f"{said} percent") == f"{number}%"
    assert normalize_numbers(f"version {said} point {say_english(cents % 10)}") == (
        f"version {number}.{cents % 10}"
    )


@given(st.integers(1600, 2099))
@RANDOM
def test_english_years(year):
    high, low = divmod(year, 100)
    if low == 0:
        said = "two thousand" if high == 20 else f"{say_english(high)} hundred"
    else:
        said = f"{say_english(high)} " + ("oh " if low < 10 else "") + say_english(low)
    assert normalize_numbers(f"in {said}") == f"in {year}"


@given(st.integers(1, 12), st.integers(1, 59))
@RANDOM
def test_english_times(hour, minute):
    said = f"{say_english(hour)} {'oh ' if minute < 10 else ''}{say_english(minute)}"
    assert normalize_numbers(f"come at {said}") == f"come at {hour}:{minute:02}"
    assert normalize_numbers(f"{said} pm") == f"{hour}:{minute:02} pm"


@given(st.text("0123456789", min_size=4, max_size=14))
@RANDOM
def test_english_digits(figures):
    said = " ".join(ENGLISH[int(figure)] for figure in figures)
    assert normalize_numbers(f"call {said}") == f"call {figures}"
    assert normalize_numbers(f"code {said.replace('zero', 'oh')}") == f"code {figures}"


@given(st.dates(date(1990, 1, 1), date(2029, 12, 31)))
@RANDOM
def test_english_dates(day):
    ends = {1: "first", 2: "second", 3: "third", 5: "fifth", 8: "eighth", 9: "ninth", 12: "twelfth"}
    *head, last = say_english(day.day).split(" ")
    index = day.day if day.day < 20 else day.day % 10
    ending = ends.get(index) or (last[:-1] + "ie" if last.endswith("y") else last) + "th"
    month = day.strftime("%B")
    if month in ("May", "March"):
        month = f"on {month}"
    assert normalize_numbers(f"{month} {' '.join([*head, ending])}") == f"{month} {day.day}"


ENDLESS = """
一 十 一点 一百 三到 二十到 百分之 十乘 三小时二十分 二零二六年 十分 a1·二十 one· hundred·and·
twenty·to· half·past· double· in·twenty·twenty·six·
"""


@pytest.mark.parametrize("unit", [unit.replace("·", " ") for unit in ENDLESS.split()])
def test_the_cost_grows_with_the_length_only(unit):
    short, long = (calls_of(unit * count) for count in (500, 4000))
    assert long < 10 * short  # 8 where it is linear, 64 where it is squared


def calls_of(text: str) -> int:
    """How many functions are called to rewrite a text, those of the interpreter among them."""
    count = 0

    def see(frame, event, argument):
        nonlocal count
        count += event in ("call", "c_call")

    sys.setprofile(see)
    try:
        normalize_numbers(text)
    finally:
        sys.setprofile(None)
    return count


def test_replacements_are_in_order_and_apart():
    text = "从二零二六年到二零三零年，twenty five 到三十个"
    numbers = find_numbers(text)
    assert [text[n.start : n.end] for n in numbers] == [
        "二零二六年",
        "二零三零年",
        "twenty five",
        "三十",
    ]
