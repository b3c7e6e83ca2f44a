"""Settings of the VAD's decisions, with FunASR's names and defaults."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

from asr_contract import SAMPLE_RATE
from asr_core.features import FRAME_LENGTH_MS, FRAME_SHIFT_MS

SINGLE_UTTERANCE, MULTIPLE_UTTERANCES = 0, 1  # `detect_mode`

# What the front end computes; a model made for anything else must not be served with it.
_FIXED = {
    "sample_rate": SAMPLE_RATE,
    "frame_in_ms": FRAME_SHIFT_MS,
    "frame_length_ms": FRAME_LENGTH_MS,
}
# FunASR's configurations have these too, and nothing in FunASR depends on them.
_WITHOUT_EFFECT = frozenset(
    {
        "dcd_block_size",
        "do_end_point_detection",
        "do_start_point_detection",
        "fe_prior_thres",
        "nn_eval_block_size",
        "output_frame_probs",
        "silence_pdf_num",
        "snr_mode",
        "speech_noise_thresh_high",
        "speech_noise_thresh_low",
    }
)
_LONGEST_MS = 24 * 3600 * 1000
_LONGEST_WINDOW_MS = 10_000


@dataclass(frozen=True)
class VadOptions:
    """How frame scores become segments. Times are in ms.

    Attributes:
        detect_mode: 1 finds any number of segments, 0 stops after the first.
        max_end_silence_time: silence after which a segment ends.
        max_start_silence_time: with `detect_mode` 0, silence after which no speech is expected.
        max_single_segment_time: longest segment; speech beyond it starts a new one.
        window_size_ms: window over which frames of speech are counted.
        sil_to_speech_time_thres: speech in the window that starts a segment.
        speech_to_sil_time_thres: speech in the window at or below which silence begins.
        do_extend: 1 adds the two times below to a segment, 0 does not.
        lookback_time_start_point: added before the start.
        lookahead_time_end_point: added after the end.
        speech_noise_thres: a frame is speech where its probability exceeds that of noise by this.
        speech_2_noise_ratio: exponent of the probability of noise.
        snr_thres: dB above the running mean of noise that a frame of speech must have.
        noise_frame_num_used_for_snr: frames which that mean reaches back.
        decibel_thres: dB (of full scale, a frame's energy) that a frame of speech must have.
        sil_pdf_ids: the classes of the graph's output that mean silence.

    Source: FunASR `funasr/models/fsmn_vad_streaming/model.py`, `VADXOptions`.
    """

    detect_mode: int = MULTIPLE_UTTERANCES
    max_end_silence_time: int = 800
    max_start_silence_time: int = 3000
    max_single_segment_time: int = 60_000
    window_size_ms: int = 200
    sil_to_speech_time_thres: int = 150
    speech_to_sil_time_thres: int = 150
    do_extend: int = 1
    lookback_time_start_point: int = 200
    lookahead_time_end_point: int = 100
    speech_noise_thres: float = 0.6
    speech_2_noise_ratio: float = 1.0
    snr_thres: float = -100.0
    noise_frame_num_used_for_snr: int = 100
    decibel_thres: float = -100.0
    sil_pdf_ids: tuple[int, ...] = (0,)

    def __post_init__(self) -> None:
        """Check the values.

        Raises:
            ValueError: one is outside its range.
        """
        window = _LONGEST_WINDOW_MS
        _check("detect_mode", self.detect_mode, SINGLE_UTTERANCE, MULTIPLE_UTTERANCES)
        _check("do_extend", self.do_extend, 0, 1)
        _check("window_size_ms", self.window_size_ms, FRAME_SHIFT_MS, window)
        _check("sil_to_speech_time_thres", self.sil_to_speech_time_thres, FRAME_SHIFT_MS, window)
        _check("speech_to_sil_time_thres", self.speech_to_sil_time_thres, 0, window)
        _check("noise_frame_num_used_for_snr", self.noise_frame_num_used_for_snr, 1, _LONGEST_MS)
        _check("speech_2_noise_ratio", self.speech_2_noise_ratio, 1e-6, 1e6)
        for name in ("speech_noise_thres", "snr_thres", "decibel_thres"):
            _check(name, getattr(self, name), -1e6, 1e6)
        for field in fields(self):
            if field.name.endswith(("_time", "_point")):
                _check(field.name, getattr(self, field.name), 0, _LONGEST_MS)


# What a client may set for a stream; which classes mean silence is the model's own business.
REQUEST_OPTIONS = tuple(field.name for field in fields(VadOptions) if field.name != "sil_pdf_ids")


def options_from_config(model_conf: Mapping[str, Any]) -> VadOptions:
    """Read `model_conf` of a VAD's `config.yaml`.

    Raises:
        ValueError: it has an unknown name, or a value that cannot be used.
    """
    known: dict[str, Any] = {}
    names = {field.name for field in fields(VadOptions)}
    for name, value in model_conf.items():
        if name in names:
            known[name] = tuple(value) if name == "sil_pdf_ids" else value
        elif name in _FIXED:
            if value != _FIXED[name]:
                raise ValueError(f"model_conf.{name}: expected {_FIXED[name]}, got {value}")
        elif name not in _WITHOUT_EFFECT:
            raise ValueError(f"model_conf.{name}: expected one of {', '.join(sorted(names))}")
    return VadOptions(**known)


def override_options(options: VadOptions, parameters: Mapping[str, Any]) -> VadOptions:
    """Apply a request's parameters; those of other names are not ours.

    Args:
        options: the model's own.
        parameters: values may be numbers, or text that is one.

    Raises:
        ValueError: a value is not a number or outside its range.
    """
    changes: dict[str, Any] = {}
    for name in REQUEST_OPTIONS:
        if name in parameters:
            default = getattr(options, name)
            changes[name] = _number(name, parameters[name], isinstance(default, int))
    return replace(options, **changes)


def _number(name: str, value: Any, whole: bool) -> float:
    """Read a number as clients may write it."""
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number) or (whole and number != int(number)):
        raise ValueError(f"{name}: expected a {'whole ' * whole}number, got {value!r}")
    return int(number) if whole else number


def _check(name: str, value: float, low: float, high: float) -> None:
    """Compare a value with its range."""
    if not low <= value <= high:
        raise ValueError(f"{name}: expected {low:g} to {high:g}, got {value}")
