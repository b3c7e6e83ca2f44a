"""Numbers become figures, and nothing else changes."""

from __future__ import annotations

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client import OptionError
from asr_client.text.itn import find_numbers, normalize_numbers

CHINESE = {
    "二零二六年十一月二十一日": "2026年11月21日",
    "二零二六年一月二日": "2026年1月2日",
    "十月一日放假": "10月1日放假",
    "一九九八年": "1998年",
    "百分之三十的人": "30%的人",
    "百分之一点五": "1.5%",
    "三点五": "3.5",
    "负三点一四": "-3.14",
    "花了十二块五": "花了12块5",
    "三点五十分见": "3:50见",
    "下午两点半": "下午2:30",
    "三千元": "3000元",
    "五十美元": "50美元",
    "三千万美元": "3000万美元",
    "两百万": "200万",
    "三分之二": "2/3",
    "第二十一章": "第21章",
    "电话幺三八零零一三八零零零": "电话13800138000",
    "京A一二三四五": "京A12345",
    "二十公斤": "20kg",
    "一共三百，五十个人。": "一共300，50个人。",
}
ENGLISH = {
    "twenty five dollars": "$25",
    "it was Twenty-five dollars, wasn't it?": "it was $25, wasn't it?",
    "one dollar and fifty cents": "$1.50",
    "five million dollars": "$5 million",
    "thirty percent of people": "30% of people",
    "one hundred and twenty three": "123",
    "minus forty two": "-42",
    "version two point five": "version 2.5",
    "at three thirty p m": "at 3:30 p.m.",
    "half past three": "3:30",
    "July fifth twenty twenty six": "July 5 2026",
    "the twenty first time": "the 21st time",
    "my number is five five five one two three four": "my number is 5551234",
}
# Numerals that are no numbers, and what the grammar would rewrite besides numbers.
LEFT_ALONE = [
    "",
    " \n ",
    "他有三个苹果",
    "万一下雨，千万不要去，我十分高兴",
    "三三两两",
    "五十步笑百步",
    "十全十美",
    "first of all, one of them",
    "in a second",
    "doctor smith lives in saint john",
    "w w w dot google dot com",
    "seven eleven",
    'a "quoted"  text \\ with {braces} and value: "x"',
    "é\u0301 😀 \u200b \x00 \ud800",
    "2026年11月21日 30% $25",
    "これは二十七です",
]


@pytest.mark.parametrize(("spoken", "written"), [*CHINESE.items(), *ENGLISH.items()])
def test_examples(spoken, written):
    assert normalize_numbers(spoken) == written


@pytest.mark.parametrize("text", LEFT_ALONE)
def test_what_is_no_number_stays_as_it_is(text):
    assert normalize_numbers(text) == text


def test_both_languages_in_one_text():
    text = "我有 twenty five 个 apple 和二十个梨。"
    assert normalize_numbers(text) == "我有 25 个 apple 和20个梨。"
    assert normalize_numbers(text, "en") == "我有 25 个 apple 和二十个梨。"
    assert normalize_numbers(text, "ja") == text


def test_an_unknown_language_is_refused():
    with pytest.raises(OptionError, match="expected one of auto, zh"):
        normalize_numbers("二十", "klingon")


@pytest.mark.parametrize("text", ["一百1", "1一百", "十二块五一百三", "twenty 5 5"])
def test_figures_never_run_into_one(text):
    written = normalize_numbers(text)
    assert len(re.findall(r"\d{3,}", written)) == 0, written


NUMERALS = list("零一二三四五六七八九十百千万亿两幺点半分之年月日号块元%负第个")
ENGLISH_WORDS = """
twenty five hundred thousand and point one two first second dollars cents percent p m july half
past to the doctor saint dot com
"""
texts = st.one_of(
    st.text(st.sampled_from([*NUMERALS, *"今天的人，。 aA1-'\"\\"]), max_size=30),
    st.lists(
        st.sampled_from([*ENGLISH_WORDS.split(), "The", "don't", "x-ray", ",", "7", "café"])
    ).map(" ".join),
    st.text(max_size=30),
)


@given(texts)
@settings(max_examples=150, deadline=None)
def test_only_numbers_are_replaced(text):
    position, expected = 0, ""
    for number in find_numbers(text):
        assert position <= number.start < number.end <= len(text)
        source = text[number.start : number.end]
        assert re.search(r"[零〇一二三四五六七八九十百千万亿两幺]|[A-Za-z]{2}", source)
        assert re.search(r"\d", number.written)
        assert "\\" not in number.written
        expected += text[position : number.start] + number.written
        position = number.end
    assert normalize_numbers(text) == expected + text[position:]


@given(st.integers(0, 10**9))
@settings(max_examples=60, deadline=None)
def test_an_integer_comes_back(number):
    spoken = spoken_chinese(number)
    written = normalize_numbers(f"共{spoken}吧")
    value = re.sub(r"[共吧]", "", written)
    if re.fullmatch(r"[零一二两三四五六七八九十百千万亿]", spoken):
        return  # a single numeral stays a word
    for unit, factor in (("亿", 10**8), ("万", 10**4)):
        value = re.sub(rf"(\d+){unit}", lambda match, f=factor: f"{int(match[1]) * f}+", value)
    assert sum(int(part) for part in value.split("+") if part) == number, (spoken, written)


def spoken_chinese(number: int) -> str:
    """Say a whole number below 10^12 as it is read out."""
    digits = "零一二三四五六七八九"
    if number == 0:
        return "零"
    groups: list[tuple[int, str]] = []
    for unit in ("", "万", "亿"):
        number, group = divmod(number, 10_000)
        groups.append((group, unit))
    spoken, gap = "", False
    for group, unit in reversed(groups):
        if group == 0:
            gap = bool(spoken)
            continue
        for place, name in ((1000, "千"), (100, "百"), (10, "十"), (1, "")):
            digit, group = divmod(group, place)
            if digit:
                if gap and spoken:
                    spoken += "零"
                spoken += digits[digit] + name
                gap = False
            else:
                gap = True
        spoken += unit
        gap = gap and False
    return spoken


def test_long_texts_cost_in_proportion():
    sentence = "他买了一百二十个梨，然后我们又说了很多别的话，"
    assert normalize_numbers(sentence * 200) == normalize_numbers(sentence) * 200


def test_endless_numerals_do_no_harm():
    assert normalize_numbers("一" * 5000) == "一" * 5000


def test_threads_do_not_disturb_each_other():
    spoken = [*CHINESE, *ENGLISH] * 5
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(normalize_numbers, spoken)) == [
            {**CHINESE, **ENGLISH}[text] for text in spoken
        ]


def test_no_other_package_is_needed():
    script = (
        "import sys; before = set(sys.modules)\n"
        "from asr_client.text.itn import normalize_numbers\n"
        "assert normalize_numbers('二十 twenty') == '20 20'\n"
        "assert not {'wetext', 'kaldifst', 'pynini'} & set(sys.modules)\n"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
