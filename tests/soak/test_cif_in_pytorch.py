"""CIF fires as many tokens as FunASR's PyTorch, in the same frames, of the same sums."""

from __future__ import annotations

import itertools
from pathlib import Path

import numpy as np
import pytest
import yaml

from asr_core.paraformer import CifIntegrator
from asr_server.graphs.speech_like import speech_like_features
from tests.graphs.cif_of_exports import integrated, scaled

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


def test_a_dynamic_threshold_is_funasrs_scaling_to_the_rounded_sum(tmp_path: Path) -> None:
    import torch
    from funasr.models.bicif_paraformer.cif_predictor import CifPredictorV3

    from lab.random_models.export import export_random_model

    source = export_random_model(
        "bicif_paraformer", "small", 5, tmp_path / "plain", with_torch=True
    )
    graph = scaled(source, tmp_path) / "model.onnx"
    config = yaml.safe_load((source / "config.yaml").read_text())
    predictor = CifPredictorV3(**config["predictor_conf"])
    weights = torch.load(source / "model.pt", weights_only=True)
    own = {
        name.removeprefix("predictor."): w for name, w in weights.items() if "predictor." in name
    }
    predictor.load_state_dict(own)
    predictor.eval()
    rng = np.random.default_rng(6)
    fired = changed = 0
    for frames in rng.integers(20, 200, 60).tolist():
        row = speech_like_features(rng, frames)
        plain, ours = integrated(source / "model.onnx", row), integrated(graph, row)
        length = torch.tensor([ours.tokens])
        with torch.no_grad():
            theirs, _, alphas, *_ = predictor(
                torch.from_numpy(ours.hidden[None]),
                mask=torch.ones(1, 1, frames),
                target_label_length=length,
            )
        np.testing.assert_allclose(ours.weights[:frames], alphas[0, :frames].numpy(), atol=1e-5)
        whole = ours.tokens - 1  # in single precision nothing may complete their last
        np.testing.assert_allclose(ours.embeds[:whole], theirs[0, :whole].numpy(), atol=1e-3)
        fired += whole
        changed += plain.tokens != ours.tokens
    assert fired > 200
    assert changed
