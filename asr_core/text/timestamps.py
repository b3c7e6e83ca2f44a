"""Token times from CIF fires (Paraformer) and from CTC frames (SenseVoice), in milliseconds."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from asr_core.features import LFR_FRAME_MS

CIF_UPSAMPLING = 3  # BiCif's timestamp predictor works at a third of an LFR frame
CIF_FRAME_MS = LFR_FRAME_MS // CIF_UPSAMPLING  # 20 ms
CIF_FIRE_THRESHOLD = 1.0 - 1e-4
CIF_FIRE_OFFSET_FRAMES = -1.5  # the predictor fires this much after the token begins
MAX_TOKEN_CIF_FRAMES = 30  # a longer gap between two fires ends in silence
MAX_ALIGNED_CIF_FRAMES = 12  # the same in FunASR's PyTorch, by which fa-zh is run
EDGE_SILENCE_CIF_FRAMES = 5  # a longer gap after the last fire holds silence as well

NO_TIME = (-1, -1)


def cif_spans_ms(
    us_alphas: NDArray[np.float32], us_cif_peak: NDArray[np.float32], num_tokens: int
) -> list[tuple[int, int]]:
    """Return token times from the upsampled CIF of BiCifParaformer.

    The CIF fires once when a token begins and once more at the end, so token i lasts from fire i
    to fire i + 1. Where the number of fires does not fit, the weights are rescaled to
    `num_tokens` + 1 and integrated again.

    Args:
        us_alphas: float32 [3T], weights at 20 ms steps.
        us_cif_peak: float32 [3T], their integrals; all zero for a model without timestamps.
        num_tokens: number of tokens to place.

    Returns:
        `num_tokens` pairs (start, end); (-1, -1) each without timestamps.

    Source: FunASR `funasr_onnx/utils/timestamp_utils.py`, `time_stamp_lfr6_onnx`; the rescaling
    as in `funasr/utils/timestamp_tools.py`.
    """
    if num_tokens == 0 or not us_cif_peak.any():
        return [NO_TIME] * num_tokens
    fires = np.flatnonzero(us_cif_peak > CIF_FIRE_THRESHOLD)
    if len(fires) != num_tokens + 1:
        fires = _fires_of_rescaled(us_alphas, num_tokens + 1)
    return _spans_ms(fires, len(us_cif_peak), MAX_TOKEN_CIF_FRAMES)


def aligned_spans_ms(us_alphas: NDArray[np.float32], num_tokens: int) -> list[tuple[int, int]]:
    """Return token times from the weights of an aligner, whatever they sum to.

    As `cif_spans_ms`, for a number of tokens that is known: the weights are always rescaled.

    Args:
        us_alphas: float32 [3T], weights at 20 ms steps; all zero (digital silence) counts as all
            equal.
        num_tokens: number of tokens to place.

    Returns:
        `num_tokens` pairs (start, end).

    Source: FunASR `funasr/models/monotonic_aligner/model.py`, `inference`, and
    `funasr/utils/timestamp_tools.py`, `ts_prediction_lfr6_standard`.
    """
    if num_tokens == 0:
        return []
    weights = us_alphas if us_alphas.any() else np.ones_like(us_alphas)
    fires = _fires_of_rescaled(weights, num_tokens + 1)
    spans = _spans_ms(fires, len(us_alphas), MAX_ALIGNED_CIF_FRAMES)
    if fires[-1] - fires[-2] > MAX_ALIGNED_CIF_FRAMES:  # the last token's, too
        start_ms, _ = spans[-1]
        end = fires[-2] + CIF_FIRE_OFFSET_FRAMES + MAX_ALIGNED_CIF_FRAMES
        spans[-1] = start_ms, int(end * CIF_FRAME_MS)
    return spans


def _spans_ms(fires: NDArray[np.int64], num_frames: int, longest: int) -> list[tuple[int, int]]:
    """Return the time from each fire to the next; at most `longest` frames but for the last."""
    bounds = fires + CIF_FIRE_OFFSET_FRAMES
    starts, ends = bounds[:-1], bounds[1:].copy()
    ends[:-1] = np.where(ends[:-1] - starts[:-1] < longest, ends[:-1], starts[:-1] + longest)
    if num_frames - bounds[-1] > EDGE_SILENCE_CIF_FRAMES:
        ends[-1] = (num_frames + bounds[-1]) / 2
    else:
        ends[-1] = num_frames
    spans = np.stack([starts, ends], axis=1).clip(min=0) * CIF_FRAME_MS
    return [(int(start), int(end)) for start, end in spans]


def _fires_of_rescaled(alphas: NDArray[np.float32], num_fires: int) -> NDArray[np.int64]:
    """Return the frames at which weights rescaled to sum to `num_fires` pass whole numbers."""
    cumulated = np.cumsum(alphas, dtype=np.float64)
    cumulated *= num_fires / cumulated[-1]
    # The last whole number is the sum itself: allow for rounding.
    wholes = np.arange(1, num_fires + 1) * CIF_FIRE_THRESHOLD
    return np.searchsorted(cumulated, wholes).clip(max=len(alphas) - 1)


def ctc_span_ms(start_frame: int, end_frame: int, num_frames: int) -> tuple[int, int]:
    """Return the time of LFR frames [start, end) out of `num_frames`, half a frame early.

    Source: FunASR `funasr/models/sense_voice/model.py`, `inference` with `output_timestamp`.
    """
    half = LFR_FRAME_MS // 2
    last = num_frames * LFR_FRAME_MS - half
    return (
        max(start_frame * LFR_FRAME_MS - half, 0),
        max(min(end_frame * LFR_FRAME_MS - half, last), 0),
    )
