"""FSMN-VAD over many streams at a time, with the encoder injected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_core.config import load_config
from asr_core.features import (
    DEFAULT_FBANK,
    Cmvn,
    FbankExtractor,
    group_by_length,
    load_cmvn,
    make_fbank,
    pad_features,
    read_frontend_conf,
)
from asr_core.vad.detector import SegmentDetector, SpanMs
from asr_core.vad.frontend import VadFrontend
from asr_core.vad.options import VadOptions, options_from_config

Float = NDArray[np.float32]

MAX_FRAMES = 1000  # of a row in one run of the encoder: 10 s
MAX_PADDING = 0.5  # share of a batch that may be padding
MAX_BATCH_FRAMES = 4096
"""Of all rows in one run, padding included: 41 s of audio. The encoder keeps what its largest run
needed, and larger ones gain nothing on a CPU: with the embedded model 64 rows of 2 s took 5.8 us of
processor time a frame and 82 MB, 16 such rows 4.7 us and 25 MB."""


VAD_ENCODER_OUTPUTS = ("silence_probs", "next_cache")


class VadEncoder(Protocol):
    """The encoder graph; a row's result does not depend on padding or on the others."""

    def __call__(
        self, *, speech: Float, speech_lengths: NDArray[np.int32], cache: Float
    ) -> Sequence[Float]:
        """Score a batch of pieces of streams.

        Args:
            speech: [B, T, D], zero beyond each row's length.
            speech_lengths: [B, 1], frames of each row.
            cache: [B, layers, P, C], what the layers remember of the frames before.

        Returns:
            `VAD_ENCODER_OUTPUTS`: the probability of silence [B, T], and the next cache.
        """


@dataclass(frozen=True)
class VadModel:
    """What a VAD consists of besides its graph.

    Attributes:
        fbank, cmvn, lfr_window: of the front end.
        options: defaults of its decisions.
        cache_shape: [layers, P, C] of the encoder's cache.
    """

    fbank: FbankExtractor
    cmvn: Cmvn
    lfr_window: int
    options: VadOptions
    cache_shape: tuple[int, int, int]


def load_vad(model_dir: Path, fbank_name: str = DEFAULT_FBANK) -> VadModel:
    """Read `config.yaml` and `am.mvn`.

    Args:
        model_dir: holds them.
        fbank_name: which fbank, see `asr_core.features.make_fbank`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one is not what it should be.
    """
    config = load_config(model_dir)
    frontend, encoder = read_frontend_conf(model_dir), config["encoder_conf"]
    window, shift = int(frontend["lfr_m"]), int(frontend["lfr_n"])
    if window % 2 != 1 or shift != 1:
        raise ValueError(f"frontend_conf: expected an odd lfr_m and lfr_n 1, got {window}, {shift}")
    if encoder["rorder"]:
        raise ValueError(
            f"encoder_conf.rorder: expected 0 (no look-ahead), got {encoder['rorder']}"
        )
    fbank = make_fbank(fbank_name, int(frontend["n_mels"]))
    cmvn = load_cmvn(model_dir / "am.mvn")
    if len(cmvn.shift) != window * fbank.num_mel_bins:
        raise ValueError(
            f"am.mvn: expected {window * fbank.num_mel_bins} dimensions ({window} frames of "
            f"{fbank.num_mel_bins} mel bins), got {len(cmvn.shift)}"
        )
    memory = (int(encoder["lorder"]) - 1) * int(encoder["lstride"])
    return VadModel(
        fbank,
        cmvn,
        window,
        options_from_config(config["model_conf"]),
        (int(encoder["fsmn_layers"]), int(encoder["proj_dim"]), memory),
    )


class VadStream:
    """State of one stream between its requests; its size does not depend on the audio's length."""

    def __init__(self, model: VadModel, options: VadOptions) -> None:
        self._frontend = VadFrontend(model.fbank, model.cmvn, model.lfr_window)
        self._detector = SegmentDetector(options)
        self._is_final = False
        self._features = np.empty((0, len(model.cmvn.shift)), np.float32)
        self._decibels = np.empty(0, np.float32)
        self.cache = np.zeros(model.cache_shape, np.float32)

    @property
    def waiting(self) -> Float:
        """Features that the encoder has not scored: float32 [T, D]."""
        return self._features

    def push(self, waveform: Float, is_final: bool) -> None:
        """Take the next samples, float32 [S] in [-1, 1]; the encoder's turn is next."""
        frames = self._frontend.accept(waveform, is_final)
        self._features, self._decibels = frames.features, frames.decibels
        self._is_final = is_final

    def score(self, silence_probs: Float, cache: Float) -> None:
        """Take the encoder's result for the first frames that wait.

        Args:
            silence_probs: float32 [n].
            cache: float32 `cache_shape`.
        """
        count = len(silence_probs)
        is_final = self._is_final and count == len(self._features)
        self._detector.accept(silence_probs, self._decibels[:count], is_final)
        self._features, self._decibels = self._features[count:], self._decibels[count:]
        if not len(self._features):  # a view of no frames would keep all of them
            self._features, self._decibels = self._features.copy(), self._decibels.copy()
        self.cache = cache

    def take_segments(self) -> list[SpanMs]:
        """Return what was found since the last call, as `SegmentDetector.take_segments`."""
        return self._detector.take_segments()


def score_streams(streams: Sequence[VadStream], encode: VadEncoder) -> None:
    """Let the encoder score all frames that wait, those of several streams in one run."""
    while streams := [stream for stream in streams if len(stream.waiting)]:
        lengths = [min(len(stream.waiting), MAX_FRAMES) for stream in streams]
        for group in group_by_length(lengths, MAX_PADDING, MAX_BATCH_FRAMES):
            rows = [streams[index].waiting[: lengths[index]] for index in group]
            silence_probs, caches = encode(
                speech=pad_features(rows, max(map(len, rows))),
                speech_lengths=np.array([[len(row)] for row in rows], np.int32),
                cache=np.stack([streams[index].cache for index in group]),
            )
            for index, row, probs, cache in zip(group, rows, silence_probs, caches, strict=True):
                streams[index].score(probs[: len(row)], cache.copy())
