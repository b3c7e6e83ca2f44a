"""The committed random-weight models are complete, consistent and say varied things."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest
import sentencepiece
import yaml
from funasr_onnx.paraformer_online_bin import Paraformer as OnlineParaformer

from asr_core.features import load_cmvn
from asr_server.graphs import prepare
from asr_server.graphs.speech_like import speech_like_features
from lab.random_models.architecture import FRONTEND_CONF, SIZES
from lab.random_models.front_end_files import cmvn_text
from lab.random_models.vocabulary import paraformer_tokens, sensevoice_tokenizer
from tests.graphs.graph_rows import FP32_NAMES, MODELS, Session
from tests.recordings import cut

ONLINE_NAMES = ["paraformer_online-tiny-seed0", "paraformer_online-small-seed1"]
CHUNK = 9600  # samples; the streaming model's 600 ms


@pytest.mark.parametrize("name", FP32_NAMES + ONLINE_NAMES)
def test_vocabulary_is_as_large_as_the_output(name: str) -> None:
    directory = MODELS / name
    model = onnx.load(directory / ("decoder.onnx" if name in ONLINE_NAMES else "model.onnx"))
    outputs = {value.name: value.type.tensor_type.shape.dim[-1] for value in model.graph.output}
    if name.startswith("sensevoice"):
        path = directory / "chn_jpn_yue_eng_ko_spectok.bpe.model"
        tokenizer = sentencepiece.SentencePieceProcessor(model_file=str(path))
        assert tokenizer.get_piece_size() == outputs["ctc_logits"].dim_value
        for tag in ("<|zh|>", "<|NEUTRAL|>", "<|Speech|>", "<|woitn|>"):
            assert tokenizer.id_to_piece(tokenizer.piece_to_id(tag)) == tag
        return
    tokens = json.loads((directory / "tokens.json").read_text(encoding="utf-8"))
    assert len(tokens) == len(set(tokens)) == outputs["logits"].dim_value
    assert tokens[:3] == ["<blank>", "<s>", "</s>"]
    assert tokens[-1] == "<unk>"
    assert any(token.endswith("@@") for token in tokens)
    assert any(token.isdigit() for token in tokens)


@pytest.mark.parametrize("name", FP32_NAMES + ONLINE_NAMES)
def test_front_end_files(name: str) -> None:
    config = yaml.safe_load((MODELS / name / "config.yaml").read_text(encoding="utf-8"))
    assert config["frontend_conf"] == FRONTEND_CONF
    cmvn = load_cmvn(MODELS / name / "am.mvn")
    assert cmvn.shift.shape == (560,)
    assert (cmvn.scale > 0).all()


@pytest.mark.parametrize("name", FP32_NAMES)
def test_output_is_varied(name: str, tmp_path: Path) -> None:
    target = tmp_path / f"{name}.onnx"
    prepare(MODELS / name / "model.onnx", target, threads=1)
    row = speech_like_features(np.random.default_rng(3), 200)  # 12 s
    ids = Session(target)([row])[0]["token_ids"]
    assert len(set(ids.tolist())) >= 8
    if name.startswith("sensevoice"):
        assert 0.1 < (ids == 0).mean() < 0.9  # blank
    else:
        assert 12 <= len(ids) <= 96  # one to eight tokens a second


@pytest.mark.parametrize(
    "name, quantize", [*((name, False) for name in ONLINE_NAMES), (ONLINE_NAMES[0], True)]
)
def test_funasr_streams_through_the_online_models(name: str, quantize: bool) -> None:
    reference = OnlineParaformer(str(MODELS / name), quantize=quantize, intra_op_num_threads=1)
    samples, cache, tokens = cut(12, start=3), {}, []
    for start in range(0, len(samples), CHUNK):
        final = start + CHUNK >= len(samples)
        chunk = samples[start : start + CHUNK]
        for result in reference(chunk, param_dict={"cache": cache, "is_final": final}):
            tokens += result["preds"][1]
    assert 12 <= len(tokens) <= 96  # one to eight a second
    assert len(set(tokens)) >= 8


@pytest.mark.parametrize("size", [64, 160, 8404])
def test_paraformer_tokens(size: int) -> None:
    tokens = paraformer_tokens(size)
    assert len(tokens) == len(set(tokens)) == size


def test_published_tags_have_their_ids() -> None:
    size = SIZES["sensevoice"]["full"].vocabulary
    tokenizer = sentencepiece.SentencePieceProcessor(model_proto=sensevoice_tokenizer(size))
    assert tokenizer.get_piece_size() == size
    assert tokenizer.id_to_piece(24884) == "<|zh|>"
    assert tokenizer.id_to_piece(25017) == "<|woitn|>"


def test_too_small_a_vocabulary_is_refused() -> None:
    with pytest.raises(ValueError, match="expected at least"):
        paraformer_tokens(20)


def test_cmvn_text_is_read_back(tmp_path: Path) -> None:
    path = tmp_path / "am.mvn"
    path.write_text(cmvn_text(), encoding="utf-8")
    cmvn = load_cmvn(path)
    np.testing.assert_array_equal(cmvn.shift[:80], cmvn.shift[80:160])
