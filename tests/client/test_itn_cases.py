"""Situations that people dictate, sentence by sentence: `tests/data/itn`.

`itn_zh.tsv` and `itn_en.tsv` hold what is spoken and what is to be written, also where that is the
same; `stays.txt` holds sentences without any number to rewrite.
"""

from __future__ import annotations

import random
import re

import pytest

from asr_client.text.itn import normalize_numbers
from asr_server.places import ROOT

DATA = ROOT / "tests" / "data" / "itn"


def rows(name: str) -> list[tuple[str, str]]:
    lines = (DATA / name).read_text(encoding="utf-8").splitlines()[1:]
    return [(spoken, written) for spoken, written in (line.split("\t") for line in lines)]


CHINESE, ENGLISH = rows("itn_zh.tsv"), rows("itn_en.tsv")
STAYS = [
    line
    for line in (DATA / "stays.txt").read_text(encoding="utf-8").splitlines()
    if line and not line.startswith("#")
]


@pytest.mark.parametrize(("spoken", "written"), [*CHINESE, *ENGLISH])
def test_what_is_spoken_is_written(spoken, written):
    assert normalize_numbers(spoken) == written


@pytest.mark.parametrize(("spoken", "written"), CHINESE)
def test_within_a_text(spoken, written):
    assert normalize_numbers(f"你好，{spoken}。谢谢！") == f"你好，{written}。谢谢！"
    assert normalize_numbers(f"Hello {spoken} ok") == f"Hello {written} ok"


def test_sentences_without_a_number_stay_as_they_are():
    assert len(set(STAYS)) >= 300
    changed = {text: normalize_numbers(text) for text in STAYS if normalize_numbers(text) != text}
    assert changed == {}


def test_no_figure_stands_beside_a_numeral_where_sentences_meet():
    beside = re.compile(
        r"\d(?!千[克米瓦卡赫]|[万亿]|一[般共下起直定])[零〇一二三四五六七八九十百千万亿两]"
    )
    spoken = [row[0] for row in CHINESE] + STAYS
    draw = random.Random(16)
    wrong = {}
    for _ in range(10_000):
        text = draw.choice(spoken) + draw.choice(spoken)
        written = normalize_numbers(text)
        if beside.search(written) and not re.search(r"\d", text):
            wrong[text] = written
    assert wrong == {}


@pytest.mark.parametrize("language", ["ja", "ko"])
def test_japanese_and_korean_stay_as_they_are(language):
    for text in ["二十七です", "三月二十一日", "이십칠 개", "twenty five 개"]:
        assert normalize_numbers(text, language) == text


def test_cantonese_hours_stay_words():
    # 三點九 is a quarter to four; of 三點五 nobody can tell.
    assert normalize_numbers("三點九見", "yue") == "三點九見"
    assert normalize_numbers("三點五", "yue") == "三點五"
    assert normalize_numbers("二零二六年三月二十一號", "yue") == "2026年3月21號"
