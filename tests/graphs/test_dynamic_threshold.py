"""An export whose CIF weights are scaled fires their rounded sum; it is prepared like any other."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr_server.commands.dynamic_threshold import main
from asr_server.graphs import prepare
from asr_server.graphs.speech_like import speech_like_features
from asr_server.places import EMBEDDED_MODELS
from tests.graphs.cif_of_exports import integrated, scaled
from tests.graphs.graph_rows import MODELS, Session

PARAFORMERS = [f"{kind}paraformer-tiny-seed0" for kind in ("", "bicif_", "contextual_", "seaco_")]


def test_as_many_tokens_fire_as_the_rounded_sum_of_the_weights(tmp_path: Path) -> None:
    source = EMBEDDED_MODELS / "paraformer" / "model.onnx"
    target = scaled(source.parent, tmp_path) / "model.onnx"
    rng = np.random.default_rng(3)
    changed = 0
    for frames in rng.integers(8, 120, 40).tolist():
        row = speech_like_features(rng, frames)
        before, after = integrated(source, row), integrated(target, row)
        assert after.tokens == int(before.weights[:-1].sum(dtype=np.float64) + 0.5)
        weights = after.weights[:-1]
        np.testing.assert_allclose(weights.sum(dtype=np.float64), after.tokens, atol=1e-4)
        # nothing is left over: the tokens' embeddings have all frames, as they were weighed
        whole = weights @ after.hidden
        np.testing.assert_allclose(after.embeds[: after.tokens].sum(0), whole, atol=2e-3)
        changed += after.tokens != before.tokens
    assert changed  # 0.45 and 0.5 round differently


def test_a_sum_below_a_half_fires_nothing(tmp_path: Path) -> None:
    target = scaled(MODELS / "bicif_paraformer-tiny-seed0", tmp_path) / "model.onnx"
    prepared = tmp_path / "prepared.onnx"
    prepare(target, prepared, threads=1)
    (silence,) = Session(prepared)([np.zeros((1, 560), np.float32)])
    assert silence["token_num"] == 0


@pytest.mark.parametrize("graph", ["model.onnx", "model_quant.onnx"])
@pytest.mark.parametrize("name", PARAFORMERS)
def test_every_paraformer_is_prepared_and_proved_against_its_scaled_export(
    name: str, graph: str, tmp_path: Path
) -> None:
    target = scaled(MODELS / name, tmp_path)
    assert {path.name for path in target.iterdir()} == {
        path.name for path in (MODELS / name).iterdir()
    }
    report = prepare(target / graph, tmp_path / "prepared.onnx", threads=1)
    assert report.figures["original_tokens"] > 0


@pytest.mark.parametrize(
    ("source", "expected"),
    [
        (MODELS / "sensevoice-tiny-seed0", "expected FunASR's export of an offline Paraformer"),
        (MODELS / "nothing", "expected model.onnx or model_quant.onnx"),
    ],
)
def test_others_are_refused_and_nothing_is_left(
    source: Path, expected: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(source), str(tmp_path / "scaled")]) == 1
    assert expected in capsys.readouterr().err
    assert not [*tmp_path.iterdir()]


def test_a_directory_that_is_there_stays_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "mine").mkdir()
    assert main([str(EMBEDDED_MODELS / "paraformer"), str(tmp_path / "mine")]) == 1
    assert "is there already" in capsys.readouterr().err
    assert not [*(tmp_path / "mine").iterdir()]
