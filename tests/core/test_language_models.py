"""Language models: probabilities that are some, read and written, against KenLM's own library."""

import dataclasses
import math
import random
from pathlib import Path

import kenlm
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from asr_core.language_models import (
    END,
    START,
    UNKNOWN,
    KenlmModel,
    NgramModel,
    estimate,
    fingerprint,
    read_arpa,
    save_ngrams,
    write_arpa,
)

TOKENS = ["今", "天", "气", "he@@", "llo", "好"]
ARPA = """\\data\\
ngram 1=4
ngram 2=2

\\1-grams:
-1.0\t<unk>
-99\t<s>\t-0.5
-0.5\t</s>
-0.3\t好\t-0.2

\\2-grams:
-0.1\t<s> 好
-0.4\t好 好

\\end\\
"""


def sentences(seed, count=60):
    rng = random.Random(seed)
    return [[rng.choice([0, 1, 1, 2, 4, 4, 5]) for _ in range(rng.randint(0, 6))]
            for _ in range(count)]  # fmt: skip


def model_of(ngrams, folder, tokens=TOKENS):
    folder.mkdir(exist_ok=True)
    save_ngrams(ngrams, folder)
    return NgramModel(folder, tokens)


def total(model, ids):
    """Natural-log probability of a sentence."""
    state, sum_ = model.begin(), 0.0
    for token in ids:
        state, log_prob = model.score(state, token)
        sum_ += log_prob
    return sum_ + model.end(state)


@settings(deadline=None, max_examples=40)
@given(
    order=st.integers(1, 5),
    min_count=st.integers(1, 3),
    seed=st.integers(0, 10**6),
    before=st.lists(st.integers(0, len(TOKENS) - 1), max_size=6),
)
def test_what_can_follow_any_words_is_certain_to(tmp_path_factory, order, min_count, seed, before):
    ngrams = estimate(sentences(seed), TOKENS, order, min_count)
    model = model_of(ngrams, tmp_path_factory.mktemp("lm"))
    state = model.begin()
    for token in before:
        state, _ = model.score(state, token)
    following = [math.exp(model.score(state, token)[1]) for token in range(len(TOKENS))]
    assert sum(following) + math.exp(model.end(state)) == pytest.approx(1, abs=1e-5)
    assert min(following) > 0


@pytest.mark.parametrize(("order", "min_count"), [(2, 1), (3, 1), (3, 2), (4, 2)])
def test_sentences_have_kenlms_probability(tmp_path, order, min_count):
    """KenLM reads the file that was written, and shares no line with what scores here."""
    ngrams = estimate(sentences(order), TOKENS, order, min_count)
    ngrams = dataclasses.replace(ngrams, made_for=fingerprint(TOKENS))  # a comment in the file
    write_arpa(ngrams, tmp_path / "a.arpa")
    assert read_arpa(tmp_path / "a.arpa").made_for == fingerprint(TOKENS)
    other = kenlm.Model(str(tmp_path / "a.arpa"))
    model = model_of(ngrams, tmp_path / "lm")
    for ids in sentences(99):
        expected = other.score(" ".join(TOKENS[token] for token in ids)) * math.log(10)
        assert total(model, ids) == pytest.approx(expected, abs=1e-4)


def test_kneser_ney_by_hand():
    """Two sentences, pairs; discounts 0.5, 1, 1.5, as the text is too small to tell them."""
    ngrams = estimate([[0, 1], [0, 0]], ["a", "b"], 2)
    probs = dict(zip((" ".join(ngrams.text(node)) for node in range(1, len(ngrams.contexts))),
                     np.exp(ngrams.log_probs[1:]).tolist(), strict=True))  # fmt: skip
    # Different words before: a 2 (<s>, a), b 1 (a), </s> 2 (a, b); 2.5 of 5 are shared by three.
    unigram = {"a": 1 / 5 + 2.5 / 15, "b": 0.5 / 5 + 2.5 / 15, END: 1 / 5 + 2.5 / 15}
    for word, expected in unigram.items():
        assert probs[word] == pytest.approx(expected, rel=1e-5)
    # After a: a, b and </s> once each, so a half of each third, and half of what the words have.
    assert probs["a b"] == pytest.approx(0.5 / 3 + 0.5 * unigram["b"], rel=1e-5)
    assert probs[f"{START} a"] == pytest.approx(1 / 2 + 0.5 * unigram["a"], rel=1e-5)


@pytest.mark.parametrize("name", ["a.arpa", "a.arpa.gz"])
def test_a_file_holds_all_of_a_model(tmp_path, name):
    ngrams = estimate(sentences(1), TOKENS, 4, 2)
    write_arpa(ngrams, tmp_path / name)
    read = read_arpa(tmp_path / name)
    assert (read.words, read.sizes) == (ngrams.words, ngrams.sizes)
    assert np.array_equal(read.contexts, ngrams.contexts)
    assert np.array_equal(read.last_words, ngrams.last_words)
    assert np.allclose(read.log_probs, ngrams.log_probs, atol=1e-5)
    assert np.allclose(read.backoffs, ngrams.backoffs, atol=1e-5)


def test_a_file_may_be_written_as_windows_does(tmp_path):
    write_arpa(estimate(sentences(1), TOKENS, 2, 1), tmp_path / "a.arpa")
    text = (tmp_path / "a.arpa").read_text(encoding="utf-8").replace("\n", "\r\n")
    (tmp_path / "b.arpa").write_bytes(f"\ufeff{text}".encode())
    assert read_arpa(tmp_path / "b.arpa").words == read_arpa(tmp_path / "a.arpa").words


def test_unknown_tokens_are_the_models_unknown_word(tmp_path):
    (tmp_path / "a.arpa").write_text(ARPA)
    model = model_of(read_arpa(tmp_path / "a.arpa"), tmp_path / "lm", ["好", "坏"])
    _, log_prob = model.score(model.begin(), 1)
    assert log_prob == pytest.approx((-0.5 - 1.0) * math.log(10), rel=1e-5)
    assert UNKNOWN in read_arpa(tmp_path / "a.arpa").words


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("\\data\\", "", "expected an ARPA file"),
        ("ngram 1=4", "ngram 1=5", "expected 5 1-grams"),
        ("ngram 2=2", "ngram 3=2", "expected ngram 2=COUNT"),
        ("-0.4\t好 好", "-0.4\t好 坏", "words that are among the 1-grams"),
        ("-0.4\t好 好", "x\t好 好", "expected LOG10 2 words"),
        ("-0.4\t好 好", "0.4\t好 好", "the log of a probability"),
        ("-0.4\t好 好", "nan\t好 好", "the log of a probability"),
        ("-0.4\t好 好", "-0.4\t好", "expected LOG10 2 words"),
        ("-0.4\t好 好", "-0.1\t<s> 好", "expected each n-gram once"),
        ("\\end\\", "", "end of the file"),
        ("\\2-grams:", "\\3-grams:", "2-grams:"),
    ],
)
def test_a_broken_file_is_told_what_is_wrong(tmp_path, old, new, expected):
    (tmp_path / "a.arpa").write_text(ARPA.replace(old, new))
    with pytest.raises(ValueError, match=expected.replace("\\", "\\\\")):
        read_arpa(tmp_path / "a.arpa")


def test_kenlms_binary_scores_as_the_file_it_is_of(tmp_path):
    """`tests/data/tiny.klm` is KenLM's own `build_binary` of `tiny.arpa` beside it."""
    data = Path(__file__).parents[1] / "data"
    binary = KenlmModel(data / "tiny.klm", TOKENS)
    model = model_of(read_arpa(data / "tiny.arpa"), tmp_path / "lm")
    for ids in sentences(3):
        assert total(binary, ids) == pytest.approx(total(model, ids), abs=1e-4)
    assert binary.knows("今") and not binary.knows("x")
    (tmp_path / "bad.klm").write_bytes((data / "tiny.klm").read_bytes()[:100])
    with pytest.raises(ValueError, match="KenLM's binary form"):
        KenlmModel(tmp_path / "bad.klm", TOKENS)
