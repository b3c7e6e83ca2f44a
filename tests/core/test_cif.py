"""How many tokens CIF fires, and where: the sum of the weights decides, however they come."""

from __future__ import annotations

import itertools
import math

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from asr_core.paraformer.cif import CifIntegrator

WEIGHTS = st.lists(st.floats(0, 0.96875, width=32), max_size=60)


@given(WEIGHTS, st.sampled_from([0.0, 0.45, 0.5]), st.lists(st.integers(0, 60), max_size=5))
def test_as_many_tokens_fire_as_the_rounded_sum(
    weights: list[float], tail: float, cuts: list[int]
) -> None:
    """With a tail of a half that is rounding to the nearest; FunASR's 0.45 rounds up from 0.55."""
    total = math.fsum(weights) + tail
    assume(abs(total - round(total)) > 1e-6)
    alphas = np.array(weights, np.float32)
    hidden = np.random.default_rng(len(weights)).normal(size=(len(weights), 3)).astype(np.float32)
    cif = CifIntegrator(3, threshold=1.0, tail_threshold=tail)
    bounds = [0, *sorted(min(cut, len(weights)) for cut in cuts), len(weights)]
    fired = [
        cif.accept(hidden[start:end], alphas[start:end], range(start, end))
        for start, end in itertools.pairwise(bounds)
    ]
    fired.append(cif.finish(len(weights)))
    spans = [span for fires in fired for span in fires.spans]
    assert len(spans) == sum(len(fires.acoustic_embeds) for fires in fired) == math.floor(total)

    # A token ends in the frame whose weight completes it, by exact sums.
    sums = [*itertools.accumulate(weights), total]
    ends = [next(i for i, s in enumerate(sums) if s >= n - 1e-9) for n in range(1, len(spans) + 1)]
    if all(abs(s - round(s)) > 1e-6 for s in sums if s > 0.5):
        assert [end for _, end in spans] == ends

    # What the tokens hold together is what they weighed: the frames' sum, but for the rest.
    embeds = np.concatenate([fires.acoustic_embeds for fires in fired])
    padded = np.concatenate([hidden, np.zeros((1, 3), np.float32)])
    left = math.floor(total)
    used = []
    for weight in [*weights, tail]:
        used.append(min(weight, max(left, 0.0)))
        left -= used[-1]
    if len(spans):
        np.testing.assert_allclose(embeds.sum(axis=0), np.array(used) @ padded, atol=1e-3)
    assert math.fsum(used) == pytest.approx(len(spans))
