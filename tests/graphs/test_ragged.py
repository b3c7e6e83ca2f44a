"""Rows laid end to end: whose frames are whose, and the layout taken off again."""

from __future__ import annotations

import json
from pathlib import Path
from typing import get_args

import numpy as np
import onnx
import onnxruntime
import pytest
from numpy.typing import NDArray

from asr_server.graphs import prepare, verify
from asr_server.graphs.packs import LIMITS, PackLimits
from asr_server.graphs.ragged import end_to_end, lay_rows_out, take_rows_padded
from asr_server.graphs.recipes import ROW_LOOPS
from asr_server.graphs.session import override_limits
from asr_server.graphs.speech_like import speech_like_features
from asr_server.models import Device
from tests.graphs.graph_rows import MODELS, Session

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
            **end_to_end("speech", rows),
            **end_to_end("bias_embed", [np.zeros((1, 32), np.float32)] * len(rows)),
            "speech_lengths": np.array(lengths, np.int32),
            "language": np.zeros(len(rows), np.int32),
            "textnorm": np.full(len(rows), 14, np.int32),
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
    lay_rows_out(model, ROW_LOOPS["sensevoice"])
    assert model.SerializeToString() == laid_out


class Counted:
    """A prepared file, and for each run how many frames its memory blocks computed."""

    def __init__(self, path: Path, folder: Path, limits: PackLimits | None = None) -> None:
        options = onnxruntime.SessionOptions()
        options.log_severity_level = 4
        options.intra_op_num_threads = 1
        options.enable_profiling = True
        options.profile_file_prefix = str(folder / "profile")
        self._kept = [] if limits is None else override_limits(options, limits)
        self._session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self._names = [value.name for value in self._session.get_inputs()]

    def __call__(self, rows: list[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        known = {
            **end_to_end("speech", rows),
            **end_to_end("bias_embed", [np.zeros((1, 32), np.float32)] * len(rows)),
            "speech_lengths": np.array([len(row) for row in rows], np.int32),
            "language": np.zeros(len(rows), np.int32),
            "textnorm": np.full(len(rows), 14, np.int32),
        }
        count = "token_num" if "bias_embed" in self._names else "encoder_out_lens"
        feed = {name: known[name] for name in self._names}
        ids, counts = self._session.run(["token_ids", count], feed)
        return [row[:number] for row, number in zip(ids, counts, strict=True)]

    def packs(self) -> list[list[int]]:
        """Return the shape [rows, frames, ...] of what each first softmax of a run computed."""
        events = json.loads(Path(self._session.end_profiling()).read_text())
        shapes: dict[str, list[list[int]]] = {}
        for event in events:
            if event.get("args", {}).get("op_name") == "Softmax":
                (shape,) = event["args"]["output_type_shape"][0].values()
                shapes.setdefault(event["name"], []).append(shape)
        return next(iter(shapes.values()))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("device", get_args(Device))
def test_a_long_row_beside_short_ones_costs_what_it_costs_alone(
    name: str, device: Device, prepared: dict[str, Path], tmp_path: Path
) -> None:
    """Two minutes among 31 short rows: no row is computed beyond the limits of a pack."""
    rng = np.random.default_rng(7)
    lengths = [*rng.integers(1, 120, 15), 2000, *rng.integers(1, 120, 16)]
    rows = [speech_like_features(rng, int(length)) for length in lengths]
    batch = Counted(prepared[name], tmp_path, LIMITS[device])
    together = batch(rows)
    alone = Counted(prepared[name], tmp_path)
    for row, ids in zip(rows, together, strict=True):
        np.testing.assert_array_equal(ids, alone([row])[0])
    shapes = [(shape[0], shape[2]) for shape in batch.packs()]
    assert sum(size for size, _ in shapes) == len(rows)
    limits = LIMITS[device]
    for size, frames in shapes:
        assert size == 1 or size * (frames - 4) <= limits.frames  # SenseVoice has four prompts
    computed = sum(size * frames for size, frames in shapes)
    assert computed <= sum(lengths) * {"cpu": 1.2, "gpu": 3}[device]


def test_hotwords_of_another_width_harm_no_neighbour(tmp_path: Path) -> None:
    name = "seaco_paraformer-tiny-seed0"
    prepare(MODELS / name / "model.onnx", tmp_path / "model.onnx", threads=1)
    session = verify.Session(tmp_path / "model.onnx", 1, True, PackLimits(10_000, 0))
    rng = np.random.default_rng(2)
    rows = [speech_like_features(rng, length) for length in (50, 40, 70)]
    words = [rng.uniform(-1, 1, (count, 32)).astype(np.float32) for count in (60, 3, 7)]

    def ids(words: list[NDArray[np.float32]]) -> list[NDArray[np.int32]]:
        lengths = [len(row) for row in rows]
        found = session({"speech": rows, "speech_lengths": lengths, "bias_embed": words})
        return [row[:n] for row, n in zip(found["token_ids"], found["token_num"], strict=True)]

    expected = ids(words)
    for bad in (np.full((5, 7), np.nan, np.float32), np.zeros((0, 32), np.float32)):
        got = ids([words[0], bad, words[2]])
        np.testing.assert_array_equal(got[0], expected[0])
        np.testing.assert_array_equal(got[2], expected[2])
