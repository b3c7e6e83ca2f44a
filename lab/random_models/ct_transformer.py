"""CT-Transformer with random weights, offline and streaming: varied marks, mostly none."""

from __future__ import annotations

import string
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch

from lab.random_models.architecture import SizeName
from lab.random_models.vocabulary import chinese_characters

CtKind = Literal["ct_transformer", "ct_transformer_streaming"]

PUNC_LIST = ["<unk>", "_", "，", "。", "？", "、"]
NO_MARK = PUNC_LIST.index("_")

_WORDS = (
    "hello world this is a test of the speech server good morning how are you i am fine thanks "
    "what time it we will meet in beijing and new york next week don't worry about that"
)
_CALIBRATION_LENGTH = 400  # words
_ATTENTION_GAIN = 4.0  # as initialised, attention is so even that masks hardly matter
_LOGIT_DEVIATION = 1.5
_NO_MARK_SHARE = 0.75
_NEVER = -30.0  # bias of `<unk>`, which no trained model says


@dataclass(frozen=True)
class CtSize:
    """Dimensions of a model.

    Attributes:
        hidden: width of embedding and encoder.
        heads: attention heads.
        feed_forward: inner width of the feed-forward layers.
        blocks: encoder blocks of the offline model; the streaming one has one less.
        vocabulary: words.
    """

    hidden: int
    heads: int
    feed_forward: int
    blocks: int
    vocabulary: int


SIZES: dict[SizeName, CtSize] = {
    "tiny": CtSize(32, 2, 64, 3, 200),
    "small": CtSize(48, 4, 96, 4, 600),
    "full": CtSize(256, 8, 1024, 4, 272_727),
}


def model_config(kind: CtKind, size: CtSize) -> dict[str, Any]:
    """Return the `config.yaml` of a model, with the published ones' settings."""
    streaming = kind == "ct_transformer_streaming"
    return {
        "model": "CTTransformerStreaming" if streaming else "CTTransformer",
        "model_conf": {
            "ignore_id": 0,
            "embed_unit": size.hidden,
            "att_unit": size.hidden,
            "dropout_rate": 0.1,
            "punc_list": PUNC_LIST,
            "punc_weight": [1.0] * len(PUNC_LIST),
            "sentence_end_id": PUNC_LIST.index("。"),
        },
        "encoder": "SANMVadEncoder" if streaming else "SANMEncoder",
        "encoder_conf": {
            "input_size": size.hidden,
            "output_size": size.hidden,
            "attention_heads": size.heads,
            "linear_units": size.feed_forward,
            "num_blocks": size.blocks - streaming,
            "dropout_rate": 0.1,
            "positional_dropout_rate": 0.1,
            "attention_dropout_rate": 0.0,
            "input_layer": "pe",
            "pos_enc_class": "SinusoidalPositionEncoder",
            "normalize_before": True,
            "kernel_size": 11,
            "sanm_shfit": 5 if streaming else 0,  # 5 of 11: a word's memory sees none after it
            "selfattention_layer_type": "sanm",
            "padding_idx": 0,
        },
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>"},
    }


def punctuation_tokens(size: int) -> list[str]:
    """Return `size` words: `<blank>`, English, letters, digits, characters, `<unk>` last."""
    words = list(dict.fromkeys([*_WORDS.split(), *string.ascii_lowercase, *string.digits]))
    characters = chinese_characters()
    while len(words) < size - 2:
        character = next(characters, None)
        words.append(character or f"word{len(words)}")
    return ["<blank>", *words, "<unk>"]


def calibrate_ct_transformer(model: Any, vocabulary: int, seed: int) -> None:
    """Make words heed each other, and set varied marks after some of them.

    Args:
        model: in its export form, `inputs, text_lengths[, vad_masks, sub_masks] -> logits`.
    """
    rng = np.random.default_rng(seed)
    ids = torch.from_numpy(rng.integers(1, vocabulary, (1, _CALIBRATION_LENGTH)).astype(np.int32))
    inputs = [ids, torch.tensor([_CALIBRATION_LENGTH], dtype=torch.int32)]
    if "sub_masks" in model.export_input_names():
        ones = torch.ones(1, 1, _CALIBRATION_LENGTH, _CALIBRATION_LENGTH)
        inputs += [ones, ones.tril()]
    layer = model.decoder
    with torch.no_grad():
        for module in model.modules():
            if hasattr(module, "linear_q_k_v"):
                module.linear_q_k_v.weight.data *= _ATTENTION_GAIN
        (logits,) = model(*inputs)
        mean, scale = logits.mean(dim=0), _LOGIT_DEVIATION / logits.std(dim=0)
        layer.weight.data *= scale[:, None]
        layer.bias.data = (layer.bias.data - mean) * scale
        layer.bias.data[0] = _NEVER
        (logits,) = model(*inputs)
        rivals = logits[:, NO_MARK + 1 :].amax(dim=1)
        layer.bias.data[NO_MARK] += torch.quantile(rivals - logits[:, NO_MARK], _NO_MARK_SHARE)
