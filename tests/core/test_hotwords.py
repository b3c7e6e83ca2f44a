"""Hotwords: their token ids and their embeddings."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from funasr_onnx import ContextualParaformer

from asr_core.paraformer import (
    EMBEDDER_FILE,
    hotword_embedder,
    load_embedder,
    load_hotword_bias,
    load_pieces,
)
from asr_core.paraformer.hotword_bias import HotwordBias
from asr_core.paraformer.hotword_tokenizer import HotwordTokenizer, load_segmentation
from asr_server.graphs import PrepareError, convert_embedder
from asr_server.install.installed import sample_hotwords
from tests.serving import RANDOM_MODELS

NAMES = [
    f"{kind}_paraformer-{size}"
    for kind in ("contextual", "seaco")
    for size in ("tiny-seed0", "small-seed1")
]
SMALL = RANDOM_MODELS / "seaco_paraformer-small-seed1"
MAX_HOTWORDS = 30


def test_ids_are_those_of_funasr_onnx() -> None:
    reference = ContextualParaformer(str(SMALL), intra_op_num_threads=1)
    tokenizer = HotwordTokenizer(load_pieces(SMALL))
    words = [*sample_hotwords(SMALL).split(), "的", "的一是在不了有和人这"]
    ids, last = reference.proc_hotword(" ".join(words))
    for word, row, length in zip(words, ids, last + 1, strict=False):
        assert tokenizer(word) == tuple(row[:length].tolist())


def test_words_that_cannot_be_used() -> None:
    tokenizer = HotwordTokenizer(["<blank>", "<s>", "</s>", "的", "a"])
    assert tokenizer("的A a") == (3, 4, 4)
    with pytest.raises(ValueError, match="hotword '的龘': the model's vocabulary has no '龘'"):
        tokenizer("的龘")
    assert len(tokenizer("的" * 10)) == 10
    with pytest.raises(ValueError, match="expected at most 10 characters, got 11"):
        tokenizer("的" * 11)


def test_english_words_are_cut_as_the_model_was_trained(tmp_path: Path) -> None:
    (tmp_path / "seg_dict").write_text("hello hel@@ lo\nthe the\n的 的\n", encoding="utf-8")
    segmentation = load_segmentation(tmp_path / "seg_dict")
    tokenizer = HotwordTokenizer(["hel@@", "lo", "the", "的", "t", "h", "o"], segmentation)
    assert tokenizer("the Hello的") == tokenizer("the Hello 的") == (2, 0, 1, 3)
    assert tokenizer("tho") == (4, 5, 6)
    assert load_segmentation(tmp_path / "absent") == {}


@pytest.fixture(scope="module", params=NAMES)
def converted(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory):
    source = RANDOM_MODELS / request.param
    target = tmp_path_factory.mktemp("embedder") / EMBEDDER_FILE
    assert convert_embedder(source / "model_eb.onnx", target) < 1e-5
    return source, target


def test_embeddings_are_those_of_funasr_onnx(converted: tuple[Path, Path]) -> None:
    source, target = converted
    reference = ContextualParaformer(str(source), intra_op_num_threads=1)
    words = sample_hotwords(source)
    ids, last = reference.proc_hotword(words)
    (states,) = reference.eb_infer(ids, last)
    expected = states.transpose(1, 0, 2)[np.arange(len(ids)), last]
    bias = HotwordBias(HotwordTokenizer(load_pieces(source)), load_embedder(target))
    np.testing.assert_allclose(bias(words), expected, atol=1e-5)
    np.testing.assert_allclose(bias(""), expected[-1:], atol=1e-5)
    assert np.abs(np.diff(expected, axis=0)).max() > 0.1  # they do differ


def test_int8_export_has_the_same_embedder(tmp_path: Path) -> None:
    source = RANDOM_MODELS / "contextual_paraformer-tiny-seed0"
    for name in ("model_eb.onnx", "model_eb_quant.onnx"):
        convert_embedder(source / name, tmp_path / name)
    first, second = (np.load(tmp_path / n) for n in ("model_eb.onnx", "model_eb_quant.onnx"))
    for array in first.files:
        np.testing.assert_array_equal(first[array], second[array])


def test_a_word_s_embedding_depends_on_no_other(
    converted: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hotword_embedder, "MAX_REMEMBERED", 7)
    rng = np.random.default_rng(0)
    words = [tuple(rng.integers(0, 60, length).tolist()) for length in (1, 10, 3, 2, 10, 1, 5, 4)]
    alone = [load_embedder(converted[1])([word])[0] for word in words]
    embed = load_embedder(converted[1])
    for _ in range(20):  # remembered ones and new ones mixed, some forgotten
        order = rng.permutation(len(words))[: rng.integers(1, len(words) + 1)].tolist()
        got = embed([words[index] for index in order])
        np.testing.assert_allclose(got, np.stack([alone[i] for i in order]), atol=1e-6)


def test_other_graphs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(PrepareError, match="expected embedding and LSTM of hotwords"):
        convert_embedder(SMALL / "model.onnx", tmp_path / EMBEDDER_FILE)
    (tmp_path / "broken.onnx").write_bytes(b"no graph")
    with pytest.raises(PrepareError):
        convert_embedder(tmp_path / "broken.onnx", tmp_path / EMBEDDER_FILE)
    assert not (tmp_path / EMBEDDER_FILE).exists()


@pytest.fixture
def model_dir(tmp_path: Path) -> Path:
    """An installed feature extractor's version folder, `hotwords.txt` belongs above it."""
    folder = tmp_path / "1"
    folder.mkdir()
    (folder / "tokens.json").write_bytes((SMALL / "tokens.json").read_bytes())
    convert_embedder(SMALL / "model_eb.onnx", folder / EMBEDDER_FILE)
    return folder


def test_the_server_s_own_list_is_added(model_dir: Path) -> None:
    without = load_hotword_bias(model_dir, MAX_HOTWORDS)
    (model_dir.parent / "hotwords.txt").write_text("的一 20\n人 30\n", encoding="utf-8")
    with_list = load_hotword_bias(model_dir, MAX_HOTWORDS)
    np.testing.assert_allclose(with_list(""), without("的一 人"), atol=1e-6)
    np.testing.assert_allclose(with_list("在 人"), without("在 人 的一"), atol=1e-6)


def test_of_too_many_the_heaviest_are_attended_to(
    model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    characters = [piece for piece in load_pieces(SMALL) if "一" <= piece <= "龥"][:31]
    bias = load_hotword_bias(model_dir, MAX_HOTWORDS)
    assert len(bias(" ".join(characters[:30]))) == 31
    assert bias.left_out(" ".join(characters[:30])) == ()
    weighted = "\n".join(f"{word} {-(index == 7)}" for index, word in enumerate(characters))
    without = "\n".join(word for index, word in enumerate(characters) if index != 7)
    np.testing.assert_allclose(bias(weighted), bias(without), atol=1e-6)
    (problem,) = bias.left_out(weighted)
    assert problem == "hotwords: the encoder attends to the 30 heaviest of 31 (max_hotwords)"

    lines = "".join(f"{word} {index}\n" for index, word in enumerate(characters))
    (model_dir.parent / "hotwords.txt").write_text(lines, encoding="utf-8")
    with caplog.at_level(logging.WARNING):
        listed = load_hotword_bias(model_dir, MAX_HOTWORDS)
    assert "the encoder attends to the 30 heaviest" in caplog.text
    np.testing.assert_allclose(listed(""), bias(" ".join(characters[1:])), atol=1e-6)
    asked = " ".join(characters[:2])  # a request's come first, then the server's heaviest
    both = [*characters[:2], *characters[3:]]
    np.testing.assert_allclose(listed(asked), bias(" ".join(both)), atol=1e-6)
    assert listed.left_out(asked) == ()


def test_a_word_that_cannot_be_spelt_is_left_out_and_named(
    model_dir: Path, caplog: pytest.LogCaptureFixture
) -> None:
    without = load_hotword_bias(model_dir, MAX_HOTWORDS)
    (model_dir.parent / "hotwords.txt").write_text("的龘\n人", encoding="utf-8-sig")
    with caplog.at_level(logging.WARNING):
        bias = load_hotword_bias(model_dir, MAX_HOTWORDS)
    assert "hotwords.txt: left out: hotword '的龘'" in caplog.text
    np.testing.assert_allclose(bias("龘龘 的一 C++"), without("的一 人"), atol=1e-6)
    assert [problem.split(":")[0] for problem in bias.left_out("龘龘 的一 C++")] == [
        "hotword '龘龘'",
        "hotword 'C++'",
    ]
    assert bias.left_out("的一") == bias.left_out("") == ()


def test_a_bad_server_list_is_named(model_dir: Path) -> None:
    (model_dir.parent / "hotwords.txt").write_text("[1]", encoding="utf-8")
    with pytest.raises(ValueError, match=r"hotwords\.txt: hotwords: expected"):
        load_hotword_bias(model_dir, MAX_HOTWORDS)


def test_a_model_without_hotwords_leaves_them_to_the_search(tmp_path: Path) -> None:
    (tmp_path / "1").mkdir()
    (tmp_path / "hotwords.txt").write_text("的一", encoding="utf-8")
    bias = load_hotword_bias(tmp_path / "1", MAX_HOTWORDS)
    for words in ("", " ", "[]", "的一"):
        assert bias(words).shape == (1, 1)
        assert bias.left_out(words) == ()
