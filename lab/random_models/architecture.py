"""What each kind and size of recogniser consists of, in the form of FunASR's `config.yaml`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

RecogniserKind = Literal[
    "paraformer",
    "bicif_paraformer",
    "contextual_paraformer",
    "seaco_paraformer",
    "sensevoice",
    "paraformer_online",
]
Kind = Literal[
    RecogniserKind,
    "fsmn_vad",
    "ct_transformer",
    "ct_transformer_streaming",
    "campplus",
    "monotonic_aligner",
]
SizeName = Literal["tiny", "small", "full"]

# dither 0: the served features must not be random. The rest is every published model's setting.
FRONTEND_CONF: dict[str, Any] = {
    "fs": 16000,
    "window": "hamming",
    "n_mels": 80,
    "frame_length": 25,
    "frame_shift": 10,
    "lfr_m": 7,
    "lfr_n": 6,
    "dither": 0.0,
}


@dataclass(frozen=True)
class Size:
    """Dimensions of a model.

    Attributes:
        hidden: width of encoder and decoder (d_model).
        heads: attention heads.
        feed_forward: inner width of the feed-forward layers.
        encoder_blocks: SANM blocks of the encoder.
        second_blocks: decoder blocks (Paraformer), or blocks of SenseVoice's second stage.
        vocabulary: pieces of the vocabulary; SenseVoice takes its SentencePiece model's size.
    """

    hidden: int
    heads: int
    feed_forward: int
    encoder_blocks: int
    second_blocks: int
    vocabulary: int


_PARAFORMER: dict[SizeName, Size] = {
    "tiny": Size(32, 2, 64, 2, 2, 64),
    "small": Size(48, 4, 96, 3, 3, 160),
    "full": Size(512, 4, 2048, 50, 16, 8404),
}
_SENSEVOICE: dict[SizeName, Size] = {
    "tiny": Size(32, 2, 64, 2, 1, 96),
    "small": Size(48, 4, 96, 3, 2, 160),
    "full": Size(512, 4, 2048, 50, 20, 25055),
}
SIZES: dict[RecogniserKind, dict[SizeName, Size]] = {
    "paraformer": _PARAFORMER,
    "bicif_paraformer": _PARAFORMER,
    "contextual_paraformer": _PARAFORMER,
    "seaco_paraformer": _PARAFORMER,
    "sensevoice": _SENSEVOICE,
    "paraformer_online": _PARAFORMER,
}
_MODEL_CLASSES: dict[RecogniserKind, str] = {
    "paraformer": "Paraformer",
    "bicif_paraformer": "BiCifParaformer",
    "contextual_paraformer": "ContextualParaformer",
    "seaco_paraformer": "SeacoParaformer",
    "paraformer_online": "ParaformerStreaming",
}
# How the streaming encoder's training cuts its input. Its export form does not: there the caller
# gives it windows.
_CHUNK_CONF: dict[str, Any] = {
    "chunk_size": [12, 15],
    "stride": [8, 10],
    "pad_left": [0, 5],
    "encoder_att_look_back_factor": [4, 4],
    "decoder_att_look_back_factor": [1, 1],
}


def sanm_encoder_conf(hidden: int, heads: int, feed_forward: int, blocks: int) -> dict[str, Any]:
    """Return `encoder_conf` of the SANM encoder that all recognisers here have."""
    return {
        "output_size": hidden,
        "attention_heads": heads,
        "linear_units": feed_forward,
        "num_blocks": blocks,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "attention_dropout_rate": 0.1,
        "input_layer": "pe",
        "pos_enc_class": "SinusoidalPositionEncoder",
        "normalize_before": True,
        "kernel_size": 11,
        "sanm_shfit": 0,
        "selfattention_layer_type": "sanm",
    }


def model_config(kind: RecogniserKind, size: Size) -> dict[str, Any]:
    """Return the `config.yaml` of a model, as FunASR's registry and `funasr_onnx` read it.

    Source: FunASR `funasr/models/{paraformer,bicif_paraformer,sense_voice}/template.yaml`; for
    `paraformer_online` the `config.yaml` of the published streaming Paraformer-large, and for the
    models with hotwords those of the published contextual and SeACo Paraformer.
    """
    encoder_conf = sanm_encoder_conf(
        size.hidden, size.heads, size.feed_forward, size.encoder_blocks
    )
    frontend: dict[str, Any] = {"frontend": "WavFrontend", "frontend_conf": dict(FRONTEND_CONF)}
    if kind == "sensevoice":
        return {
            "model": "SenseVoiceSmall",
            "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
            "encoder": "SenseVoiceEncoderSmall",
            "encoder_conf": {**encoder_conf, "tp_blocks": size.second_blocks},
            "tokenizer": "SentencepiecesTokenizer",
            **frontend,
        }
    online = kind == "paraformer_online"
    if online:
        encoder_conf |= {"input_layer": "pe_online", **_CHUNK_CONF}
        frontend["frontend"] = "WavFrontendOnline"
    return {
        "model": _MODEL_CLASSES[kind],
        "model_conf": {
            "ctc_weight": 0.0,
            "lsm_weight": 0.1,
            "length_normalized_loss": True,
            "predictor_weight": 1.0,
            "predictor_bias": 1,
            "sampling_ratio": 0.75,
            **_hotword_conf(kind, size),
        },
        "encoder": "SANMEncoderChunkOpt" if online else "SANMEncoder",
        "encoder_conf": encoder_conf,
        "decoder": (
            "ContextualParaformerDecoder"
            if kind == "contextual_paraformer"
            else "ParaformerSANMDecoder"
        ),
        "decoder_conf": {
            **_decoder_conf(size),
            "num_blocks": size.second_blocks,
            "att_layer_num": size.second_blocks,
            "kernel_size": 11,
            "sanm_shfit": 5 if online else 0,  # 5 of 11: no token sees later ones
        },
        **(_seaco_decoder(size) if kind == "seaco_paraformer" else {}),
        **_predictor(kind, size),
        "tokenizer": "CharTokenizer",
        **frontend,
    }


def no_bias_id(vocabulary: int) -> int:
    """Return the piece by which SeACo says that no hotword is meant: 8377 of the published 8404."""
    return vocabulary - 27


def _hotword_conf(kind: RecogniserKind, size: Size) -> dict[str, Any]:
    """Return the settings of the hotword encoder, none for models without one."""
    if kind not in ("contextual_paraformer", "seaco_paraformer"):
        return {}
    conf: dict[str, Any] = {"inner_dim": size.hidden, "bias_encoder_type": "lstm"}
    if kind == "seaco_paraformer":
        conf |= {"bias_encoder_bid": False, "NO_BIAS": no_bias_id(size.vocabulary)}
    return conf


def _decoder_conf(size: Size) -> dict[str, Any]:
    return {
        "attention_heads": size.heads,
        "linear_units": size.feed_forward,
        "dropout_rate": 0.1,
        "positional_dropout_rate": 0.1,
        "self_attention_dropout_rate": 0.1,
        "src_attention_dropout_rate": 0.1,
    }


def _seaco_decoder(size: Size) -> dict[str, Any]:
    """Return the decoder that attends to the hotwords; the export needs its six layers."""
    conf = {**_decoder_conf(size), "num_blocks": 6, "att_layer_num": 6, "kernel_size": 21}
    conf |= {"sanm_shfit": 0, "use_output_layer": False, "wo_input_layer": True}
    return {"seaco_decoder": "ParaformerSANMDecoder", "seaco_decoder_conf": conf}


def _predictor(kind: RecogniserKind, size: Size) -> dict[str, Any]:
    if kind in ("bicif_paraformer", "seaco_paraformer"):
        conf = upsampling_predictor_conf(size.hidden)
        return {"predictor": "CifPredictorV3", "predictor_conf": conf}
    return {"predictor": "CifPredictorV2", "predictor_conf": _predictor_conf(size.hidden)}


def _predictor_conf(hidden: int) -> dict[str, Any]:
    return {
        "idim": hidden,
        "threshold": 1.0,
        "l_order": 1,
        "r_order": 1,
        "tail_threshold": 0.45,
    }


def upsampling_predictor_conf(hidden: int) -> dict[str, Any]:
    """Return `predictor_conf` of the predictor that places tokens in time."""
    return _predictor_conf(hidden) | {
        "smooth_factor2": 0.25,
        "noise_threshold2": 0.01,
        "upsample_times": 3,
        "use_cif1_cnn": False,
        "upsample_type": "cnn_blstm",
    }
