"""Pieces to words to text."""

import pytest
from funasr_onnx.utils.postprocess_utils import sentence_postprocess
from hypothesis import given
from hypothesis import strategies as st

from asr_core.text import DecodedWord, join_pieces, join_words, pack_words
from asr_core.text.words import is_spaced

PIECES = ["你", "好", "7", "he@@", "llo", "world", "a", "b", "don't", "i"]


def timed(pieces):
    return [DecodedWord(piece, 100 * i, 100 * i + 90, -0.1 * i) for i, piece in enumerate(pieces)]


@pytest.mark.parametrize(
    ("pieces", "text"),
    [
        ("正 是 因 为", "正是因为"),
        ("he@@ llo world", "hello world"),
        ("你 好 he@@ llo 世 界", "你好hello世界"),
        ("he@@ 你", "he你"),
        ("he@@ llo wo@@", "hello wo"),
        ("我 在 n b a", "我在NBA"),
        ("a", "a"),
        ("i don't know", "i don't know"),
        ("", ""),
    ],
)
def test_text(pieces, text):
    assert join_words(join_pieces(timed(pieces.split()))) == text


@given(st.lists(st.sampled_from(PIECES), min_size=1, max_size=12))
def test_words_and_times_equal_funasr(pieces):
    for here, after in zip(pieces, [*pieces[1:], "你"], strict=True):
        if here.endswith("@@") and not is_spaced(after.removesuffix("@@")):
            return  # FunASR loses such a piece, or glues it to a later word
    words = join_pieces(timed(pieces))
    text, _ = sentence_postprocess(list(pieces))
    _, times, spellings = sentence_postprocess(
        list(pieces), [[100 * i, 100 * i + 90] for i in range(len(pieces))]
    )
    assert join_words(words) == text
    # Its list of words holds an abbreviation letter by letter, with one time for all of them.
    assert "".join(word.text for word in words) == "".join(spellings)
    assert [[word.start_ms, word.end_ms] for word in words] == times


def test_confidence_is_the_geometric_mean_of_the_pieces():
    pieces = [
        DecodedWord("he@@", 0, 1, -1.0),
        DecodedWord("l@@", 1, 2, -2.0),
        DecodedWord("lo", 2, 3, -3.0),
    ]
    (word,) = join_pieces(pieces)
    assert word.log_prob == pytest.approx(-2.0)
    assert word.confidence == pytest.approx(0.1353353, rel=1e-5)


def test_rows_are_padded_to_the_longest():
    packed = pack_words(
        [[DecodedWord("a", 0, 10, 0.0)], [], [DecodedWord("b", 5, 9, 0.0), DecodedWord("c")]]
    )
    assert packed.tokens.tolist() == [["a", ""], ["", ""], ["b", "c"]]
    assert packed.timestamps[:, 0].tolist() == [[0, 10], [-1, -1], [5, 9]]
    assert packed.confidence.tolist() == [[1, 0], [0, 0], [1, 1]]


def test_no_words_at_all_leave_empty_arrays():
    packed = pack_words([[], []])
    assert packed.tokens.shape == (2, 0)
    assert packed.timestamps.shape == (2, 0, 2)
