"""CT-Transformer without a server: parity with funasr_onnx, writing, context, bounds."""

from __future__ import annotations

import re

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_core.punctuation import (
    Passage,
    PunctuationRequest,
    PunctuationService,
    finish_offline,
    finish_streaming,
    load_punctuation,
    tag_passages,
)
from asr_core.punctuation.marking import LONGEST_WINDOW, read_context
from asr_core.punctuation.marks import make_mark_table, split_words, write_words
from asr_core.punctuation.requests import pack_mark_ids, pack_strings
from asr_server.install.funasr_punctuation_reference import (
    PunctuationOnlineReference,
    PunctuationReference,
)
from lab.training.exported_graphs import ExportedPunctuation
from tests.punctuation_reference import (
    PUNCTUATION_MODELS,
    PUNCTUATION_ONLINE_MODELS,
    full_width,
    make_text,
)

TINY = PUNCTUATION_MODELS["ct_transformer-tiny-seed0"]
TINY_ONLINE = PUNCTUATION_ONLINE_MODELS["ct_transformer_streaming-tiny-seed0"]
LENGTHS = (1, 2, 3, 19, 20, 21, 40, 45, 150)


def offline(model, text):
    passage = Passage(model.model, split_words(text))
    tag_passages([passage], model, max_batch_size=4)
    return finish_offline(passage, model.model.table)


def streaming(model, text, context=()):
    passage = Passage(model.model, [*context, *split_words(text)], len(context))
    tag_passages([passage], model, max_batch_size=4)
    return finish_streaming(passage, model.model.table)


@pytest.mark.parametrize("name", PUNCTUATION_MODELS)
@pytest.mark.parametrize("english", [0.0, 0.3, 1.0])
def test_offline_parity(name, english):
    directory = PUNCTUATION_MODELS[name]
    reference, model = PunctuationReference(directory), ExportedPunctuation(directory)
    seen = set()
    for seed, words in enumerate(LENGTHS):
        text = make_text(directory, words, seed, english)
        expected, mark_ids = reference.punctuate(text)
        got = offline(model, text)
        assert list(got.mark_ids) == mark_ids
        if english:
            assert full_width(got.text) == full_width(expected)
        else:
            assert got.text == expected
        assert got.text.replace(" ", "") == "".join(
            word + mark for word, mark in zip(got.words, got.marks, strict=True)
        )
        seen.update(mark_ids)
    assert len(seen) >= 4


@pytest.mark.parametrize("name", PUNCTUATION_ONLINE_MODELS)
@pytest.mark.parametrize("english", [0.0, 0.3])
def test_streaming_parity(name, english):
    directory = PUNCTUATION_ONLINE_MODELS[name]
    reference, model = PunctuationOnlineReference(directory), ExportedPunctuation(directory)
    rng = np.random.default_rng(1)
    for seed in range(3):
        reference.reset()
        context: tuple[str, ...] = ()
        for piece in range(6):
            text = make_text(directory, int(rng.integers(1, 45)), 10 * seed + piece, english)
            expected, marks, cache = reference.punctuate(text)
            got = streaming(model, text, context)
            assert full_width(got.text) == full_width(expected)
            if not english:
                assert got.text == expected
                assert [mark or "_" for mark in got.marks] == marks
            assert list(got.context) == cache
            context = got.context


TABLE = make_mark_table(["<unk>", "_", ",", "。", "?", "、"])


@pytest.mark.parametrize(
    ("words", "marks", "text"),
    [
        ("你 好 世 界", "_ ， _ 。", "你好，世界。"),
        ("hello world how are you", "_ ， _ _ ？", "Hello world, how are you?"),
        ("hello there", "。 。", "Hello. There."),
        ("我 在 new york NASA 上 班", "_ _ _ ， 。 _ 。", "我在new york, NASA.上班。"),
        ("don't iPhone", "。 、", "Don't. IPhone,"),
        ("龘 a", "<unk> _", "龘a"),
    ],
)
def test_writing(words, marks, text):
    shown = [mark if mark not in ("_", "<unk>") else "" for mark in marks.split()]
    written = write_words(words.split(), shown)
    assert "".join(word + mark for word, mark in written) == text


def test_splitting():
    assert split_words(" 今天hello  world's 3点é，ok") == [
        *"今天", "hello", "world's", "3", "点", "é", "，", "ok",
    ]  # fmt: skip
    assert split_words("\n") == []


@pytest.mark.parametrize("own_end", ["好。", "ok?", "e.g."])
def test_an_end_that_the_text_brings_is_enough(own_end):
    model = ExportedPunctuation(TINY)
    passage = Passage(model.model, split_words(own_end))
    passage.accept([TABLE.none] * len(passage.window))
    assert finish_offline(passage, TABLE).text[-1] == own_end[-1]


TINY_MODEL = load_punctuation(TINY)

# A text, and what comes out of it where the model sets a mark behind every word, or none.
OWN_MARKS = {
    "你好，世界。": "你好，世界。",
    "你好,世界.": "你好,世界.",
    "你好！世界？": "你好！世界？",
    "你好……世界……": "你好……世界……",
    "你好...世界...": "你好...世界...",
    "hello, world.": "Hello, world.",
    "is it? yes! no; so: e.g. this.": "Is it? yes! no; so: e.g. this.",
    "“你好！”": "“你好！”",
    "《你好。》": "《你好。》",
    'he said "yes."': 'He said "yes."',
    "看www.a.com。": "看www.a.com。",
}


@pytest.mark.parametrize(("text", "written"), OWN_MARKS.items())
@pytest.mark.parametrize("mark", ["_", "，", "。", "？"])
def test_no_mark_stands_behind_a_mark(text, written, mark):
    words = split_words(text)
    passage = Passage(TINY_MODEL, words)
    while passage.window:
        passage.accept([TABLE.marks.index(mark if mark != "_" else "")] * len(passage.window))
    offline_text = finish_offline(passage, TABLE).text
    assert all(offline_text.count(sign) >= text.count(sign) for sign in "，。？！,.?!")
    assert not re.search("[，。？！、,.?!;；：…][，。？、]", offline_text), offline_text
    assert not re.search("[“《（][，。？、]", offline_text)
    assert not re.search('[，。？！、][”》）"][，。？、]', offline_text)
    if mark == "_":
        assert offline_text == written


@pytest.mark.parametrize(
    ("text", "written"),
    [
        ("他说“好”然后走了", "他，说，“好，”然，后，走，了。"),
        ("用.NET写3.5版", "用，.NET，写，3.5，版。"),
        ("涨了30%了", "涨，了，30%,了。"),
        ("好）", "好。）"),
        ("“", "“"),
        ("。", "。"),
    ],
)
def test_marks_around_signs(text, written):
    passage = Passage(TINY_MODEL, split_words(text))
    while passage.window:
        passage.accept([TABLE.comma] * len(passage.window))
    assert finish_offline(passage, TABLE).text.replace(",", "，") == written.replace(",", "，")


@given(st.text(alphabet="你好世ab1，。？！…,.?!;:“”《》（）\"' -%", max_size=25), st.data())
@settings(max_examples=200, deadline=None)
def test_no_text_comes_out_with_doubled_marks(text, data):
    words = split_words(text)
    if not words:
        return
    drawn = st.sampled_from([TABLE.none, TABLE.comma, TABLE.period])
    marks = data.draw(st.lists(drawn, min_size=len(words), max_size=len(words)))
    passage = Passage(TINY_MODEL, words)
    while passage.window:
        done = len(passage.mark_ids)
        passage.accept(marks[done : done + len(passage.window)])
    got = finish_offline(passage, TABLE)
    assert "".join(got.words).lower() == "".join(words).lower()
    for index, mark in enumerate(got.marks):
        if mark:
            assert got.words[index][-1] not in "，。？！…,.?!;:“《（"
            assert got.words[index + 1 : index + 2] == () or (
                got.words[index + 1][0] not in "，。？！…,?!;:" or got.words[index + 1][0] == ","
            )
    streamed = finish_streaming(passage, TABLE)
    assert not set(zip(streamed.words, streamed.marks, strict=True)) & {
        (sign, mark) for sign in "，。？！" for mark in "，。？"
    }


def test_streams_double_no_marks():
    first = streaming(ExportedPunctuation(TINY_ONLINE), "你好，")
    then = streaming(ExportedPunctuation(TINY_ONLINE), "世界。", first.context)
    assert (first.text + then.text) == "你好，世界。"


def test_empty_text():
    model = ExportedPunctuation(TINY)
    assert offline(model, "  ").text == "" and model.calls == 0
    answer = streaming(model, "", ("你", "好"))
    assert (answer.text, answer.context, answer.marks) == ("", ("你", "好"), ())


@pytest.mark.parametrize("mark", [TABLE.none, TABLE.comma])
def test_windows_stay_small_where_nothing_ends_a_sentence(mark):
    model = ExportedPunctuation(TINY).model
    words = ["你"] * 3000
    largest = 0

    def tag(word_ids, **_):
        nonlocal largest
        largest = max(largest, word_ids.shape[1])
        return np.full_like(word_ids, mark)

    passage = Passage(model, words)
    tag_passages([passage], tag, max_batch_size=1)
    assert largest <= LONGEST_WINDOW + 20
    assert len(finish_offline(passage, model.table).words) == 3000
    stream: tuple[str, ...] = ()
    for _ in range(40):
        passage = Passage(model, [*stream, *words[:50]], len(stream))
        tag_passages([passage], tag, max_batch_size=1)
        stream = finish_streaming(passage, model.table).context
    assert len(stream) <= LONGEST_WINDOW


def test_requests_share_runs_and_bad_ones_fail_alone():
    model = ExportedPunctuation(TINY_ONLINE)
    punctuator = PunctuationService(model.model, streaming=True, max_words=300, max_batch_size=64)
    texts = [make_text(TINY_ONLINE, words, seed) for seed, words in enumerate((60, 5, 30, 1))]
    requests = [
        PunctuationRequest(np.array([[text.encode()] for text in texts[:2]], object)),
        PunctuationRequest(np.array([["你".encode() * 301]], object)),
        PunctuationRequest(np.array([[b"\xff"]], object)),
        PunctuationRequest(
            np.array([[texts[2].encode()], [texts[3].encode()]], object),
            np.array([["你".encode(), b"", b""], [b"new", b"york", "好".encode()]], object),
        ),
        PunctuationRequest(np.array([[b"x"]], object), np.array([["两个词".encode()]], object)),
    ]
    answers = punctuator.answer(requests, model)
    assert model.calls == 3  # of the longest text's windows
    assert [row.text for row in answers[0]] == [streaming(model, text).text for text in texts[:2]]
    assert isinstance(answers[1], ValueError) and "at most 300 words" in str(answers[1])
    assert isinstance(answers[2], ValueError) and "utf-8" in str(answers[2])
    assert answers[3] == [
        streaming(model, texts[2], ("你",)),
        streaming(model, texts[3], ("new", "york", "好")),
    ]
    assert isinstance(answers[4], ValueError) and "3 words" in str(answers[4])

    def broken(**_):
        raise RuntimeError("gone")

    failed = punctuator.answer(requests[:2], broken)
    assert isinstance(failed[0], RuntimeError) and isinstance(failed[1], ValueError)


def test_packing():
    assert pack_strings([["a"], []]).tolist() == [["a"], [""]]
    assert pack_strings([[]]).shape == (1, 0)
    assert pack_mark_ids([[3], [1, 2]]).tolist() == [[3, -1], [1, 2]]


def test_tables():
    assert TABLE.marks == ("", "", "，", "。", "？", "、")
    assert (TABLE.none, TABLE.comma, TABLE.period) == (1, 2, 3)
    with pytest.raises(ValueError, match="expected 。 among"):
        make_mark_table(["_", ","])


def test_context_is_checked():
    assert read_context(["a", "", "你"]) == ["a", "你"]
    with pytest.raises(ValueError, match="'你好', which is 2 words"):
        read_context(["你好"])
