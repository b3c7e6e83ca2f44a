"""FSMN-VAD with made weights: silence is what is quiet, the rest is random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from asr_core.features import NUM_MEL_BINS
from asr_server.graphs.speech_like import speech_like_features
from lab.random_models.architecture import FRONTEND_CONF, SizeName

LFR_WINDOW, LFR_SHIFT = 5, 1
FEATURE_DIM = NUM_MEL_BINS * LFR_WINDOW
_NUM_LAYERS = 4  # FunASR's export form knows no other number

_CALIBRATION_FRAMES = 1500
_SILENCE_LEVEL = -0.5  # mean normalised feature at which silence is as likely as not
_SLOPE = 5.0  # of the logit over the level
_RIDGE = 1e-5  # of the mean variance of the hidden units
_OTHER_LOGITS_DEVIATION = 0.5


@dataclass(frozen=True)
class FsmnSize:
    """Dimensions of a model.

    Attributes:
        affine: width of the layers at both ends.
        linear: width between the memory blocks.
        proj: width of the memory.
        lorder: frames of a memory.
        classes: outputs; class 0 is silence.
    """

    affine: int
    linear: int
    proj: int
    lorder: int
    classes: int


SIZES: dict[SizeName, FsmnSize] = {
    "tiny": FsmnSize(24, 32, 16, 8, 12),
    "small": FsmnSize(40, 60, 32, 20, 40),
    "full": FsmnSize(140, 250, 128, 20, 248),
}


def model_config(size: FsmnSize) -> dict[str, Any]:
    """Return the `config.yaml` of a model, with the published one's settings."""
    return {
        "model": "FsmnVADStreaming",
        "model_conf": {
            "sample_rate": 16000,
            "detect_mode": 1,
            "snr_mode": 0,
            "max_end_silence_time": 800,
            "max_start_silence_time": 3000,
            "do_start_point_detection": True,
            "do_end_point_detection": True,
            "window_size_ms": 200,
            "sil_to_speech_time_thres": 150,
            "speech_to_sil_time_thres": 150,
            "speech_2_noise_ratio": 1.0,
            "do_extend": 1,
            "lookback_time_start_point": 200,
            "lookahead_time_end_point": 100,
            "max_single_segment_time": 60000,
            "snr_thres": -100.0,
            "noise_frame_num_used_for_snr": 100,
            "decibel_thres": -100.0,
            "speech_noise_thres": 0.6,
            "fe_prior_thres": 0.0001,
            "silence_pdf_num": 1,
            "sil_pdf_ids": [0],
            "speech_noise_thresh_low": -0.1,
            "speech_noise_thresh_high": 0.3,
            "output_frame_probs": False,
            "frame_in_ms": 10,
            "frame_length_ms": 25,
        },
        "encoder": "FSMN",
        "encoder_conf": {
            "input_dim": FEATURE_DIM,
            "input_affine_dim": size.affine,
            "fsmn_layers": _NUM_LAYERS,
            "linear_dim": size.linear,
            "proj_dim": size.proj,
            "lorder": size.lorder,
            "rorder": 0,
            "lstride": 1,
            "rstride": 0,
            "output_affine_dim": size.affine,
            "output_dim": size.classes,
        },
        "frontend": "WavFrontendOnline",
        "frontend_conf": {**FRONTEND_CONF, "lfr_m": LFR_WINDOW, "lfr_n": LFR_SHIFT},
    }


def calibrate_fsmn_vad(model: Any, seed: int) -> None:
    """Let the logit of silence follow the level of the features, by ridge regression.

    Args:
        model: in its export form, `speech, in_cache0… -> logits, out_caches`.
    """
    rng = np.random.default_rng(seed)
    features = speech_like_features(rng, _CALIBRATION_FRAMES, LFR_WINDOW, LFR_SHIFT)
    levels = torch.from_numpy(features.mean(axis=1))
    caches = [torch.zeros_like(cache) for cache in model.export_dummy_inputs()[1:]]
    last = model.encoder.out_linear2.linear
    seen: list[torch.Tensor] = []
    handle = last.register_forward_hook(lambda _module, inputs, _output: seen.append(inputs[0][0]))
    with torch.no_grad():
        model(torch.from_numpy(features)[None], *caches)
        handle.remove()
        (hidden,) = seen
        others = last(hidden)[:, 1:]
        last.weight.data[1:] *= _OTHER_LOGITS_DEVIATION / others.std(dim=0).mean()
        last.bias.data[1:] = 0.0
        rivals = last(hidden)[:, 1:].logsumexp(dim=1)
        target = rivals + _SLOPE * (_SILENCE_LEVEL - levels)
        mean, centre = hidden.mean(dim=0), target.mean()
        centred = hidden - mean
        gram = centred.T @ centred
        gram += _RIDGE * gram.trace() / len(gram) * torch.eye(len(gram))
        weights = torch.linalg.solve(gram, centred.T @ (target - centre))
        last.weight.data[0] = weights
        last.bias.data[0] = centre - mean @ weights
