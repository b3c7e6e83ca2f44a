"""Subtitles that other programs read, with cues that people can."""

from __future__ import annotations

import io
import unicodedata
from itertools import pairwise

import pytest
import webvtt
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_client.results import Sentence, Word
from asr_client.text.alignment import text_units
from asr_client.text.subtitles import LINE_COLUMNS, make_cues, srt, tsv, vtt

CHINESE = (
    "今天我们来介绍一下如何在服务器上部署语音识别模型，首先需要准备好环境，然后下载模型，"
    "最后启动服务就可以了。"
)
ENGLISH = (
    "This is a rather long sentence, which does not fit into two lines of forty two characters, "
    "so it has to be split."
)


def timed(text: str, start_ms: int = 0, step_ms: int = 100) -> Sentence:
    """A sentence whose every unit lasts a step."""
    words = [
        Word(unit.text, start_ms + k * step_ms, start_ms + (k + 1) * step_ms)
        for k, unit in enumerate(text_units(text))
    ]
    return Sentence(text, start_ms, start_ms + len(words) * step_ms, words)


def letters(line: str) -> int:
    """How many characters take room; marks above and below others do not."""
    return sum(not unicodedata.combining(character) for character in line)


def columns(line: str) -> int:
    return letters(line) + sum(character > "\u2e7f" for character in line)


def test_srt_golden():
    sentences = [timed("你好，世界。", 1000), timed("Bye & <thanks> --> end", 3_723_004)]
    assert "".join(srt(sentences)) == (
        "1\n00:00:01,000 --> 00:00:01,400\n你好，世界。\n\n"
        "2\n01:02:03,004 --> 01:02:03,304\nBye & <thanks> -> end\n\n"
    )


def test_vtt_golden():
    sentences = [timed("你好，世界。", 1000), timed("Bye & <thanks> --> end", 3_723_004)]
    assert "".join(vtt(sentences)) == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:01.400\n你好，世界。\n\n"
        "01:02:03.004 --> 01:02:03.304\nBye &amp; &lt;thanks&gt; --&gt; end\n\n"
    )


def test_tsv_golden():
    assert "".join(tsv([Sentence("a\tb\nc", 5, 70), Sentence("好", 70, 90)])) == (
        "start\tend\ttext\n5\t70\ta b c\n70\t90\t好\n"
    )


def test_nothing_gives_empty_files():
    assert list(srt([])) == []
    assert list(vtt([Sentence(" ", 0, 10)])) == ["WEBVTT\n\n"]


@pytest.mark.parametrize("text", [CHINESE, ENGLISH])
def test_long_sentences_are_split_at_punctuation_with_the_time_of_their_words(text):
    sentence = timed(text)
    cues = list(make_cues([sentence]))
    assert len(cues) > 1
    position = 0
    for cue in cues:
        shown = " ".join(cue.lines)
        count = len(text_units(shown))
        assert cue.start_ms == 100 * position
        position += count
        assert cue.end_ms == 100 * position
        assert shown[-1] in "，。,."
    assert position == len(sentence.words)


def test_lines_are_balanced_and_figures_whole():
    (cue,) = make_cues([timed("The whole thing costs $1,250.50 in the year 2026")])
    assert len(cue.lines) == 2
    assert abs(len(cue.lines[0]) - len(cue.lines[1])) < 12
    assert "$1,250.50" in " ".join(cue.lines)


def test_opening_marks_stay_with_what_they_open():
    for text in (
        "他今天在会议上对我们大家说《红楼梦》是一本非常好的书，值得读",
        "And then she said to all of us (quietly) that it was over",
    ):
        for cue in make_cues([timed(text)]):
            assert all(line[-1] not in "《(" for line in cue.lines)
            assert all(line[0] not in "》，。)" for line in cue.lines)


def test_without_word_times_the_sentence_is_shared_by_width():
    cues = list(make_cues([Sentence(CHINESE, 1000, 11_000)]))
    assert cues[0].start_ms == 1000
    assert cues[-1].end_ms == 11_000
    assert all(before.end_ms == after.start_ms for before, after in pairwise(cues))


def test_sentences_that_overlap_do_not_make_cues_that_do():
    cues = list(
        make_cues([Sentence("a", 0, 500), Sentence("b", 300, 300), Sentence("c", 200, 900)])
    )
    assert [(cue.start_ms, cue.end_ms) for cue in cues] == [(0, 500), (500, 501), (501, 900)]


def test_text_is_given_as_it_comes():
    def sentences():
        yield timed("first", 0)
        raise KeyError("nothing more was needed")

    parts = vtt(sentences())
    assert next(parts) == "WEBVTT\n\n"
    assert "first" in next(parts)


characters = st.one_of(
    st.sampled_from("今天的人我们，。！《》「」 ab,.!-'\"<>&1$%–\u3000"),
    st.characters(blacklist_categories=("Cs", "Cc")),
)
sentence_lists = st.lists(
    st.tuples(st.text(characters, max_size=150), st.integers(0, 5000), st.integers(0, 300)),
    max_size=6,
)


def build(specification) -> list[Sentence]:
    sentences, now_ms = [], 0
    for text, pause_ms, step_ms in specification:
        sentences.append(timed(text, now_ms + pause_ms, step_ms))
        now_ms = sentences[-1].end_ms
    return sentences


def squeezed(text: str) -> str:
    return "".join(text.split())


@given(sentence_lists)
@settings(max_examples=150, deadline=None)
def test_cues_fit_do_not_overlap_and_lose_nothing(specification):
    sentences = build(specification)
    cues = list(make_cues(sentences))
    latest_ms = 0
    for cue in cues:
        assert latest_ms <= cue.start_ms < cue.end_ms
        latest_ms = cue.end_ms
        assert 1 <= len(cue.lines) <= 2
        assert all(line == line.strip() != "" for line in cue.lines)
        assert all(
            letters(line) <= LINE_COLUMNS or columns(line) > letters(line) for line in cue.lines
        )
    shown = "".join(line for cue in cues for line in cue.lines)
    assert squeezed(shown) == squeezed("".join(sentence.text for sentence in sentences))


@given(sentence_lists)
@settings(max_examples=60, deadline=None)
def test_another_parser_reads_the_same(specification):
    sentences = build(specification)
    cues = list(make_cues(sentences))
    if not cues:
        return
    for form, text in (("vtt", "".join(vtt(sentences))), ("srt", "".join(srt(sentences)))):
        captions = webvtt.from_buffer(io.StringIO(text), format=form)
        assert len(captions) == len(cues)
        for caption, cue in zip(captions, cues, strict=True):
            assert milliseconds(caption.start) == cue.start_ms
            assert milliseconds(caption.end) == cue.end_ms
            if form == "vtt":
                assert unescaped(caption.raw_text) == "\n".join(cue.lines)


def unescaped(text: str) -> str:
    return text.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")


def milliseconds(clock: str) -> int:
    hours, minutes, seconds = clock.split(":")
    return 3_600_000 * int(hours) + 60_000 * int(minutes) + round(1000 * float(seconds))
