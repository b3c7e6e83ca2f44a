"""Sizes of the models and their construction from FunASR's own classes."""

from __future__ import annotations

from typing import Any

import torch

from lab.random_models.architecture import FRONTEND_CONF, sanm_encoder_conf

FEATURE_SIZE = 560
WIDTH = 128
SPECAUG = {
    "apply_time_warp": False,
    "time_warp_window": 5,
    "time_warp_mode": "bicubic",
    "apply_freq_mask": True,
    "freq_mask_width_range": [0, 12],
    "lfr_rate": 6,
    "num_freq_mask": 1,
    "apply_time_mask": True,
    "time_mask_width_range": [0, 2],
    "num_time_mask": 1,
}
"""Narrow masks: 240 ms hide whole syllables, which no context of a random string restores."""

CTC_CONF = {
    "dropout_rate": 0.0,
    "ctc_type": "builtin",
    "reduce": True,
    "ignore_nan_grad": True,
}

ENCODER = sanm_encoder_conf(WIDTH, heads=4, feed_forward=512, blocks=5)


def paraformer_config() -> dict[str, Any]:
    """FunASR configuration of the BiCifParaformer."""
    return {
        "model": "BiCifParaformer",
        "model_conf": {
            "ctc_weight": 0.0,
            "lsm_weight": 0.1,
            "length_normalized_loss": True,
            "predictor_weight": 1.0,
            "predictor_bias": 1,
            "sampling_ratio": 0.4,
        },
        "encoder": "SANMEncoder",
        "encoder_conf": dict(ENCODER),
        "decoder": "ParaformerSANMDecoder",
        "decoder_conf": {
            "attention_heads": 4,
            "linear_units": 384,
            "num_blocks": 2,
            "dropout_rate": 0.1,
            "positional_dropout_rate": 0.1,
            "self_attention_dropout_rate": 0.1,
            "src_attention_dropout_rate": 0.1,
            "att_layer_num": 2,
            "kernel_size": 11,
            "sanm_shfit": 0,
        },
        "predictor": "CifPredictorV3",
        "predictor_conf": {
            "idim": WIDTH,
            "threshold": 1.0,
            "l_order": 1,
            "r_order": 1,
            "tail_threshold": 0.45,
            "smooth_factor2": 0.25,
            "noise_threshold2": 0.01,
            "upsample_times": 3,
            "use_cif1_cnn": False,
            "upsample_type": "cnn_blstm",
        },
        "frontend": "WavFrontend",
        "frontend_conf": dict(FRONTEND_CONF),
        "specaug": "SpecAugLFR",
        "specaug_conf": dict(SPECAUG),
        "ctc_conf": dict(CTC_CONF),
        "tokenizer": "CharTokenizer",
        "tokenizer_conf": {"unk_symbol": "<unk>", "split_with_space": True},
        "normalize": None,
        **_training_sections("AudioDataset", 0.0005),
    }


def streaming_config() -> dict[str, Any]:
    """FunASR configuration of the ParaformerStreaming: 600 ms chunks, no look-back.

    Two blocks more than offline: a window knows less, and its depth must make up for it.
    chunk_size, stride and pad_left are those of the stateless ONNX runtime's windows; sanm_shfit
    5 of a kernel of 11 makes the decoder's memory causal.
    """
    config = paraformer_config()
    predictor = {
        key: value
        for key, value in config["predictor_conf"].items()
        if key in ("idim", "threshold", "l_order", "r_order", "tail_threshold")
    }
    return config | {
        "model": "ParaformerStreaming",
        "encoder": "SANMEncoderChunkOpt",
        "encoder_conf": {
            **ENCODER,
            "num_blocks": 7,
            "input_layer": "pe_online",
            "chunk_size": [20],
            "stride": [10],
            "pad_left": [5],
            "encoder_att_look_back_factor": [0],
            "decoder_att_look_back_factor": [0],
        },
        "decoder_conf": config["decoder_conf"] | {"sanm_shfit": 5},
        "predictor": "CifPredictorV2",
        "predictor_conf": predictor,
        "frontend": "WavFrontendOnline",
    }


def sensevoice_config() -> dict[str, Any]:
    """FunASR configuration of the SenseVoiceSmall: five languages need four blocks more."""
    return {
        "model": "SenseVoiceSmall",
        "model_conf": {"length_normalized_loss": True, "sos": 1, "eos": 2, "ignore_id": -1},
        "encoder": "SenseVoiceEncoderSmall",
        "encoder_conf": {**ENCODER, "num_blocks": 9, "tp_blocks": 1},
        "frontend": "WavFrontend",
        "frontend_conf": dict(FRONTEND_CONF),
        "specaug": "SpecAugLFR",
        "specaug_conf": dict(SPECAUG),
        "ctc_conf": dict(CTC_CONF),
        "tokenizer": "SentencepiecesTokenizer",
        "tokenizer_conf": {
            "bpemodel": None,
            "unk_symbol": "<unk>",
            "split_with_space": True,
        },
        "normalize": None,
        **_training_sections("SenseVoiceCTCDataset", 0.0002),
    }


def _training_sections(dataset: str, learning_rate: float) -> dict[str, Any]:
    return {
        "dataset": dataset,
        "dataset_conf": {
            "index_ds": "IndexDSJsonl",
            "batch_sampler": "BatchSampler",
            "batch_type": "token",
            "batch_size": 6000,
            "max_token_length": 2000,
            "buffer_size": 500,
            "shuffle": True,
            "num_workers": 0,
        },
        "train_conf": {
            "accum_grad": 1,
            "grad_clip": 5,
            "max_epoch": 20,
            "keep_nbest_models": 5,
            "log_interval": 50,
        },
        "optim": "adamw",
        "optim_conf": {"lr": learning_rate},
        "scheduler": "warmuplr",
        "scheduler_conf": {"warmup_steps": 200},
    }


def build_model(config: dict[str, Any], vocabulary_size: int) -> torch.nn.Module:
    """Constructs the FunASR class that `config["model"]` names, with fresh weights."""
    import funasr  # noqa: F401  (registers the classes)
    from funasr.register import tables

    arguments = {key: value for key, value in config.items() if key not in ("model", "model_conf")}
    arguments |= config["model_conf"]
    model_class = tables.model_classes[config["model"]]
    model: torch.nn.Module = model_class(
        **arguments, vocab_size=vocabulary_size, input_size=FEATURE_SIZE
    )
    return model


def count_parameters(model: torch.nn.Module) -> int:
    """Number of weights."""
    return sum(parameter.numel() for parameter in model.parameters())
