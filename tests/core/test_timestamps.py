"""Token times against FunASR's own."""

import json
from pathlib import Path

import numpy as np
import pytest
from funasr_onnx.utils.timestamp_utils import time_stamp_lfr6_onnx
from hypothesis import given
from hypothesis import strategies as st

from asr_core.sensevoice.ctc import greedy_search
from asr_core.text import cif_spans_ms, ctc_span_ms
from asr_core.text.timestamps import CIF_FRAME_MS, NO_TIME

GOLDEN = Path(__file__).parent.parent / "golden"
# FunASR computes in seconds and cuts the fraction of a millisecond off, which loses up to 1 ms.
ROUNDING_MS = 1


def weights_that_fire(frames, num_frames):
    """Alphas and integrals of a CIF that fires exactly at the given frames."""
    alphas, peaks = np.zeros(num_frames, np.float32), np.full(num_frames, 0.5, np.float32)
    alphas[frames] = 1.0
    peaks[frames] = 1.0
    return alphas, peaks


@given(st.data())
def test_cif_spans_equal_funasr_where_fires_fit(data):
    num_frames = data.draw(st.integers(12, 400))
    frames = data.draw(
        st.lists(st.integers(2, num_frames - 1), min_size=2, max_size=30, unique=True).map(sorted)
    )
    alphas, peaks = weights_that_fire(frames, num_frames)
    num_tokens = len(frames) - 1
    spans = cif_spans_ms(alphas, peaks, num_tokens)
    _, expected = time_stamp_lfr6_onnx(peaks, ["x"] * num_tokens)
    np.testing.assert_allclose(spans, expected, atol=ROUNDING_MS)


@pytest.mark.parametrize("case", json.loads((GOLDEN / "cif_timestamps.json").read_text()))
def test_cif_spans_equal_funasr_where_weights_are_rescaled(case):
    spans = cif_spans_ms(
        np.array(case["us_alphas"], np.float32),
        np.array(case["us_cif_peak"], np.float32),
        case["num_tokens"],
    )
    np.testing.assert_allclose(spans, np.clip(case["spans"], 0, None), atol=ROUNDING_MS)


@given(st.integers(0, 40), st.integers(1, 200), st.integers(0, 2**32 - 1))
def test_cif_spans_are_ordered_and_inside_whatever_the_weights(num_tokens, num_frames, seed):
    alphas = np.random.default_rng(seed).random(num_frames).astype(np.float32)
    spans = cif_spans_ms(alphas, np.minimum(np.cumsum(alphas), 2), num_tokens)
    assert len(spans) == num_tokens
    flat = [time for span in spans for time in span]
    assert all(0 <= time <= num_frames * CIF_FRAME_MS for time in flat)
    assert [start for start, _ in spans] == sorted(start for start, _ in spans)


def test_no_cif_means_no_times():
    zeros = np.zeros(30, np.float32)
    assert cif_spans_ms(zeros, zeros, 2) == [NO_TIME, NO_TIME]
    assert cif_spans_ms(zeros, zeros, 0) == []


@pytest.mark.parametrize("case", json.loads((GOLDEN / "sensevoice_alignment.json").read_text()))
def test_ctc_spans_equal_funasrs_forced_alignment(case):
    best = np.array(case["best_ids"], np.int32)
    tokens = greedy_search(best, np.zeros(len(best), np.float32))
    spans = [
        [token.token_id, *ctc_span_ms(token.start_frame, token.end_frame, len(best))]
        for token in tokens
    ]
    assert spans == [[token, left, max(right, 0)] for token, left, right in case["spans"]]
