"""A stream's CIF fires as many tokens as FunASR's PyTorch, in the same frames, of the same sums."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from asr_core.paraformer import CifIntegrator

pytestmark = pytest.mark.soak

TAIL = 0.45  # FunASR's


@pytest.mark.parametrize("name", ["cif", "cif_v1"])
def test_fires_are_those_of_funasr(name: str) -> None:
    import torch
    from funasr.models.paraformer import cif_predictor

    rng = np.random.default_rng(0)
    fired = 0
    for _ in range(2000):
        frames = int(rng.integers(1, 80))
        alphas = (rng.uniform(0, 0.96, frames) * (rng.random(frames) < rng.random())).astype("f")
        hidden = rng.normal(size=(frames, 4)).astype(np.float32)
        sums = [*itertools.accumulate(map(float, alphas)), float(alphas.astype(float).sum()) + TAIL]
        if sums[-1] < 1 or any(abs(s - round(s)) < 1e-4 for s in sums if s > 0.5):
            continue  # too near for single precision, or nothing fires

        ours = CifIntegrator(4, threshold=1.0, tail_threshold=TAIL)
        heard, tail = ours.accept(hidden, alphas, range(frames)), ours.finish(frames)
        embeds = np.concatenate([heard.acoustic_embeds, tail.acoustic_embeds])
        ends = [end for _, end in heard.spans + tail.spans]

        padded = np.concatenate([hidden, np.zeros((1, 4), np.float32)])[None]
        weights = np.append(alphas, np.float32(TAIL))[None]
        theirs, peaks = getattr(cif_predictor, name)(
            torch.from_numpy(padded), torch.from_numpy(weights), 1.0
        )
        count = int(weights.sum())
        assert len(ends) == count
        assert ends == np.flatnonzero(peaks[0].numpy() >= 1.0).tolist()
        np.testing.assert_allclose(embeds, theirs[0, :count].numpy(), atol=1e-4)
        fired += count
    assert fired > 10_000
