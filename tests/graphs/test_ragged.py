"""Rows laid end to end: whose frames are whose, and the layout taken off again."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from asr_server.graphs import prepare
from asr_server.graphs.ragged import lay_rows_out, take_rows_padded
from asr_server.graphs.speech_like import speech_like_features
from tests.graphs.test_prepare_onnx import MODELS, Session

NAMES = ["sensevoice-tiny-seed0", "bicif_paraformer-tiny-seed0"]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("prepared")
    paths = {name: folder / f"{name}.onnx" for name in NAMES}
    for name, path in paths.items():
        prepare(MODELS / name / "model.onnx", path, threads=1)
    return paths


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("stated", [70, 2**31 - 1, -5])
def test_a_length_beyond_a_rows_own_frames_reads_no_neighbour(
    name: str,
    stated: int,
    prepared: dict[str, Path],
) -> None:
    session = Session(prepared[name]).session
    liar = np.zeros((10, 560), np.float32)
    neighbour = speech_like_features(np.random.default_rng(5), 70)
    names = {value.name for value in session.get_inputs()}

    def ids(rows: list[NDArray[np.float32]], lengths: list[int]) -> NDArray[np.int32]:
        known = {
            "speech": np.concatenate(rows).reshape(-1),
            "speech_shape": np.array([row.shape for row in rows], np.int32),
            "speech_lengths": np.array(lengths, np.int32),
            "language": np.zeros(len(rows), np.int32),
            "textnorm": np.full(len(rows), 14, np.int32),
            "bias_embed": np.zeros((len(rows), 1, 32), np.float32),
        }
        feed = {key: value for key, value in known.items() if key in names}
        count = "token_num" if "bias_embed" in names else "encoder_out_lens"
        found, counts = session.run(["token_ids", count], feed)
        return found[0, : counts[0]]

    honest = ids([liar], [min(max(stated, 0), 10)])
    np.testing.assert_array_equal(ids([liar, neighbour], [stated, len(neighbour)]), honest)


def test_the_layout_can_be_taken_off(prepared: dict[str, Path]) -> None:
    model = onnx.load(prepared["sensevoice-tiny-seed0"])
    laid_out = model.SerializeToString()
    take_rows_padded(model)
    assert model.graph.input[0].name == "speech"
    assert "speech_shape" not in {value.name for value in model.graph.input}
    once = model.SerializeToString()
    take_rows_padded(model)
    assert model.SerializeToString() == once
    lay_rows_out(model)
    assert model.SerializeToString() == laid_out
