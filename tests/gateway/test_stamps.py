"""Times in FunASR's forms: as many as those count who read them, and those of the words."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client import Sentence, Word
from asr_client.files.sentences import RecognisedSegment, join_texts, timed_sentences
from asr_client.text import text_units
from asr_gateway.funasr.protocol import UtteranceOptions
from asr_gateway.funasr.replies import recording_reply, sentence_reply
from asr_gateway.funasr.stamps import stamped_sentences, timestamp
from tests.funasr_counting import client_pieces, server_units


def spoken(text: str, start_ms: int = 0, step_ms: int = 1000) -> Sentence:
    """A sentence whose n-th unit lasts from the n-th step until shortly before the next."""
    words = [
        Word(unit.text, start_ms + step_ms * index, start_ms + step_ms * (index + 1) - 100)
        for index, unit in enumerate(text_units(text))
    ]
    return Sentence(text, start_ms, start_ms + step_ms * len(words), words)


def pairs_of(text: str) -> list[list[int]]:
    return json.loads(timestamp(text, [spoken(text)]))


@pytest.mark.parametrize(
    ("text", "pairs"),
    [
        ("你好。", 2),
        ("打电话给我，号码是15288583702。", 19),
        ("2026年11月21日，好", 12),
        ("hello world, good morning.", 4),
        ("我有 iphone 手机。", 5),
        ("涨了30%，到3.5元", 5 + 4),
        ("안녕하세요 여러분。", 8),
        ("カフェ、𠮷野", 6),
        ("下午3:50见", 7),
        ("it's 5 o'clock.", 4 + 1 + 7),
        ("京A12345", 7),
        ("", 0),
        ("，。", 0),
    ],
)
def test_counts(text, pairs):
    assert len(pairs_of(text)) == pairs == client_pieces(text)[-1][0]


@pytest.mark.parametrize(
    "text",
    [
        "打电话给我，号码是15288583702。",
        "2026年11月21日，好",
        "hello world, good morning",
        "3块5，30%",
    ],
)
def test_of_what_funasr_writes_both_count_the_same(text):
    assert len(pairs_of(text)) == len(server_units(text))


def test_a_run_of_figures_shares_its_time():
    sentence = Sentence(
        "共120个", 0, 600, [Word("共", 0, 100), Word("120", 100, 400), Word("个", 400, 600)]
    )
    assert json.loads(timestamp(sentence.text, [sentence])) == [
        [0, 100], [100, 200], [200, 300], [300, 400], [400, 600],
    ]  # fmt: skip
    (stamp,) = stamped_sentences(sentence)
    assert (stamp["text_seg"], stamp["punc"]) == ("共 1 2 0 个", "")
    assert stamp["ts_list"] == json.loads(timestamp(sentence.text, [sentence]))


def test_stamps_are_those_of_the_final_text():
    sentence = spoken("正是因为,我 have 30块，3.5元。it's 好")
    stamps = list(stamped_sentences(sentence))
    assert [(stamp["text_seg"], stamp["punc"]) for stamp in stamps] == [
        ("正 是 因 为", ","),
        ("我 have 3 0 块", "，"),
        ("3. 5 元", "。"),
        ("it's 好", ""),
    ]
    assert stamps[0]["start"] == 0 and stamps[0]["end"] == 3900
    assert all(len(stamp["text_seg"].split(" ")) == len(stamp["ts_list"]) for stamp in stamps)


MARKS = "今天的人一二三十百千万点年月日块元你好啲嘅，。？！、,.?!:;…“” -%$'&"
SAID = """
三月二十一号 一百二十 百分之三点五 两点半 三点五 幺三八零零一三八零零零 十二块五毛八
hello world· don't· twenty·five·dollars· iPhone COVID-19 café undefined· one·
안녕하세요· 여러분 팔백 カフェ ありがとう 2026 3.5 30% 10,000 3:50 𠮷 😀 é
"""
PIECES = [*MARKS, *(piece.replace("·", " ") for piece in SAID.split())]
TEXTS = st.lists(st.lists(st.sampled_from(PIECES), max_size=12).map("".join), max_size=4)


def heard(text: str, start_ms: int) -> RecognisedSegment:
    """What a recogniser gives for a text: the units, a tenth of a second each."""
    words = [
        Word(unit.text, start_ms + 100 * index, start_ms + 100 * (index + 1))
        for index, unit in enumerate(text_units(text))
    ]
    return RecognisedSegment(text, words, True, None)


@pytest.mark.parametrize("itn", ["auto", None])
@given(TEXTS, st.integers(0, 5))
@settings(max_examples=200, deadline=None)
def test_as_many_pairs_as_funasrs_client_counts(itn, texts, untimed):
    sentences = []
    for index, text in enumerate(texts):
        segment = heard(text.strip(), 100_000 * index)
        if segment.words:
            for sentence in timed_sentences(segment, [segment.text], itn=itn):
                words = [] if index == untimed else sentence.words
                sentences.append(Sentence(sentence.text, sentence.start_ms, sentence.end_ms, words))
    text = join_texts([sentence.text for sentence in sentences])
    whole = recording_reply(UtteranceOptions(), text, sentences)
    assert ("timestamp" in whole) == any(sentence.words for sentence in sentences)
    replies = [whole]
    replies += [
        sentence_reply(UtteranceOptions(), sentence, 0, tags=False) for sentence in sentences
    ]
    for reply in replies:
        if "timestamp" not in reply:
            continue
        pairs = json.loads(reply["timestamp"])
        assert len(pairs) == client_pieces(reply["text"])[-1][0]
        assert all(start_ms <= end_ms for start_ms, end_ms in pairs)
        assert pairs == sorted(pairs)
        for stamp in reply["stamp_sents"]:
            assert len(stamp["text_seg"].split(" ")) == len(stamp["ts_list"])
            assert (
                stamp["start"] == stamp["ts_list"][0][0] <= stamp["ts_list"][-1][1] == stamp["end"]
            )


@given(st.text(alphabet="你好ab 1。，.!？", max_size=30))
def test_stamps_lose_no_word(text):
    sentence = spoken(text)
    stamps = list(stamped_sentences(sentence))
    items = "".join(stamp["text_seg"] for stamp in stamps).replace(" ", "")
    assert items == "".join(word.text for word in sentence.words)
    assert all(stamp["start"] <= stamp["end"] for stamp in stamps)


@given(
    st.lists(st.sampled_from(["你好", "三月", "hello ", "25", "，", "안녕"]), min_size=1).map(
        "".join
    )
)
def test_the_client_meets_the_time_of_what_it_shows(text):
    sentence = spoken(text)
    pairs = pairs_of(text)
    starts = {
        unit.start: word.start_ms
        for unit, word in zip(text_units(text), sentence.words, strict=True)
    }
    position = 0
    for index, piece in client_pieces(text)[:-1]:
        position = text.index(piece, position)
        assert pairs[index][0] == starts[position]
        position += len(piece)
