"""Sentences of a file: words placed in it, joined over segments, split at their marks."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_client import ProtocolError, Transcript, Word
from asr_client.files.punctuation import parse_punctuation
from asr_client.files.sentences import (
    SentenceMaker,
    join_texts,
    recognised_segment,
    split_sentences,
    timed_sentences,
)
from asr_client.text.alignment import text_units
from tests.client.local_models import LocalModels


@pytest.mark.parametrize(
    ("text", "sentences"),
    [
        ("", []),
        ("没有标点", ["没有标点"]),
        ("你好。你怎么去？坐车！", ["你好。", "你怎么去？", "坐车！"]),
        ("他说：“好。”我走了。", ["他说：“好。”", "我走了。"]),
        ("It costs 3.5 dollars. Really?! Yes", ["It costs 3.5 dollars.", "Really?!", "Yes"]),
        ("Ask Dr. Smith or J. Doe. Now.", ["Ask Dr. Smith or J. Doe.", "Now."]),
        ("见example.com。好", ["见example.com。", "好"]),
        ("嗯……好吧。", ["嗯……", "好吧。"]),
        ("。", []),
        ("好。。", ["好。。"]),
        ("커피 80원 입니다. 네.", ["커피 80원 입니다.", "네."]),
        ("何ですか？はい。", ["何ですか？", "はい。"]),
    ],
)
def test_sentences_end_at_their_marks(text, sentences):
    assert split_sentences(text) == sentences


@given(st.text(alphabet="你好a b.。？!3,“”…", max_size=40))
def test_splitting_loses_no_word(text):
    units = [unit.text for unit in text_units(text)]
    assert [unit.text for part in split_sentences(text) for unit in text_units(part)] == units


def test_texts_are_joined_as_their_script_is_written():
    assert join_texts(["你好。", "再见", "", "tomorrow.", "I see"]) == "你好。再见tomorrow. I see"
    assert join_texts(["커피 입니다.", "네"]) == "커피 입니다. 네"


def words_of(text: str, start_ms: int = 0, step_ms: int = 100) -> list[Word]:
    return [
        Word(word, start_ms + i * step_ms, start_ms + (i + 1) * step_ms)
        for i, word in enumerate(text.split())
    ]


def transcript(tokens: str, text: str | None = None, duration_s: float = 5.0, timed: bool = True):
    parts = tokens.split()
    times = [(100 * i, 100 * i + 100) for i in range(len(parts))] if timed else None
    return Transcript(tokens if text is None else text, "m", duration_s, parts, times)


def test_words_are_placed_in_the_file_and_stay_in_their_segment():
    spoken = recognised_segment(transcript("a b c"), 1000, 1250)
    assert spoken.words == [Word("a", 1000, 1100), Word("b", 1100, 1200), Word("c", 1200, 1250)]
    assert recognised_segment(transcript("", "。"), 0, 100) is None
    untimed = recognised_segment(transcript("a b", timed=False), 1000, 2000)
    assert untimed.words == [Word("a", 1000, 1500), Word("b", 1500, 2000)]
    assert [s.words for s in timed_sentences(untimed, ["a b"])] == [[]]


@pytest.mark.parametrize(
    ("speech_end_ms", "expected_ms"),
    [(1450, 1450), (1900, 1600), (1250, 1250), (1100, 1200), (900, 1200)],
)
def test_the_last_word_ends_with_the_speech_but_not_much_later(speech_end_ms, expected_ms):
    spoken = recognised_segment(transcript("a b c 。"), 1000, 2000, speech_end_ms)
    assert spoken.words == [
        *(Word("a", 1000, 1100), Word("b", 1100, 1200), Word("c", 1200, expected_ms)),
        Word("。", expected_ms, expected_ms),
    ]


def test_figures_have_the_time_of_the_words_they_were_made_from():
    spoken = recognised_segment(transcript("三 十 块 好 吗", "三十块好吗"), 1000, 2000)
    (sentence,) = timed_sentences(spoken, ["三十块，好吗？"], itn="zh")
    assert sentence.text == "30块，好吗？"
    assert sentence.words[:2] == [Word("30", 1000, 1200), Word("块", 1200, 1300)]
    assert (sentence.start_ms, sentence.end_ms) == (1000, 1500)


def test_sentences_know_how_sure_the_model_was():
    """Of each word, of a figure the least sure of its words, of a sentence the geometric mean."""
    heard = Transcript(
        *("三十块好吗", "m", 5.0, list("三十块好吗"), [(100 * i, 100 * i + 100) for i in range(5)]),
        *([0.9, 0.4, 0.8, 0.5, 1.0], "zh", "HAPPY", "Speech"),
    )
    spoken = recognised_segment(heard, 0, 1000)
    (sentence,) = timed_sentences(spoken, ["三十块，好吗？"], itn="zh")
    assert [word.confidence for word in sentence.words] == [0.4, 0.8, 0.5, 1.0]
    assert sentence.confidence == pytest.approx((0.9 * 0.4 * 0.8 * 0.5 * 1.0) ** (1 / 5))
    assert (sentence.language, sentence.emotion, sentence.event) == ("zh", "HAPPY", "Speech")
    unsure = recognised_segment(replace(heard, confidence=[0.0] * 5), 0, 1000)
    assert timed_sentences(unsure, ["三十块好吗"])[0].confidence == pytest.approx(0, abs=1e-6)
    unknown = recognised_segment(replace(heard, confidence=None), 0, 1000)
    assert timed_sentences(unknown, ["三十块好吗"])[0].confidence is None


def test_a_model_without_times_says_how_sure_it_was():
    heard = Transcript("a b", "m", 5.0, ["a", "b"], None, [0.9, 0.4])
    spoken = recognised_segment(heard, 0, 1000)
    (sentence,) = timed_sentences(spoken, ["a b"])
    assert sentence.words == []
    assert sentence.confidence == pytest.approx(0.6)


def make(segments, models: LocalModels | None = None):
    """Sentences of (text, start in ms) with a full stop behind every third word."""

    async def run():
        maker = SentenceMaker(punctuate if models else None, None, True)
        found = []
        for text, start_ms in segments:
            spoken = recognised_segment(transcript(text), start_ms, start_ms + 5000)
            found.append(await maker.accept(spoken))
        return [*found, await maker.finish()]

    async def punctuate(text):
        return parse_punctuation(text, models._punctuate(text))

    return asyncio.run(run())


def test_a_sentence_may_go_on_in_the_next_segment():
    first, second, third, last = make([("a b", 0), ("c d", 900), ("e f g", 1800)], LocalModels())
    assert first == []
    assert [(s.text, s.start_ms, s.end_ms) for s in second] == [("A b c.", 0, 1000)]
    assert [(s.text, s.start_ms, s.end_ms) for s in third] == [("D e f.", 1000, 2000)]
    assert [(s.text, s.start_ms, s.end_ms) for s in last] == [("G.", 2000, 2100)]
    assert [w.start_ms for w in third[0].words] == [1000, 1800, 1900]


def test_a_long_pause_ends_a_sentence():
    first, second, last = make([("a b", 0), ("c d", 9000)], LocalModels())
    assert first == []
    assert [s.text for s in second] == ["A b."]
    assert [s.text for s in last] == ["C d."]


def test_without_marks_a_segment_is_a_sentence():
    assert [[s.text for s in part] for part in make([("a b", 0), ("c", 900)])] == [
        ["a b"],
        ["c"],
        [],
    ]


def test_an_answer_that_is_another_text_is_refused():
    answer = LocalModels()._punctuate("a b c")
    for text in ("a b", "a b c d"):
        with pytest.raises(ProtocolError, match="expected WORDS of"):
            parse_punctuation(text, answer)
    with pytest.raises(ProtocolError, match="expected TEXT, WORDS and MARKS"):
        parse_punctuation("a", {"TEXT": answer["TEXT"]})
