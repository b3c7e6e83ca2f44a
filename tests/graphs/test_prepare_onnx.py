"""Promises of the prepared graphs, on small random-weight exports of FunASR's own making."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray

from asr_server.graphs import Report, prepare, read_metadata
from asr_server.graphs.packs import PackLimits
from asr_server.graphs.ragged import take_rows_padded
from asr_server.graphs.speech_like import speech_like_features
from asr_server.graphs.token_ids import CANDIDATES
from tests.graphs.graph_rows import FP32_NAMES, MODELS, TOLERANCE, Outputs, Session, assert_same

# Frames of 60 ms; the short ones fire no token.
LENGTHS = (1, 90, 2, 45, 33, 70)

EAGER = "contextual"  # the random weights of these fire in a single frame


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[Path, Report]]:
    """Every fp32 export, prepared."""
    folder = tmp_path_factory.mktemp("prepared")
    made = {}
    for name in FP32_NAMES:
        target = folder / f"{name}.onnx"
        made[name] = (target, prepare(MODELS / name / "model.onnx", target, threads=1))
    return made


@pytest.fixture
def features() -> list[NDArray[np.float32]]:
    rng = np.random.default_rng(5)
    return [speech_like_features(rng, length) for length in LENGTHS]


@pytest.mark.parametrize("name", FP32_NAMES)
def test_row_alone_equals_the_original(
    name: str, prepared: dict[str, tuple[Path, Report]], features: list[NDArray[np.float32]]
) -> None:
    original, graph = Session(MODELS / name / "model.onnx"), Session(prepared[name][0])
    spoken = [row for row in features if len(row) > 5]  # the original fails where nothing fires
    for row in spoken:
        assert_says_what_the_original_says(name, original([row])[0], graph([row])[0], len(row))


@pytest.mark.parametrize("num_hotwords", [1, 2, 51, 52, 200])
@pytest.mark.parametrize(
    "name", [name for name in FP32_NAMES if "contextual" in name or "seaco" in name]
)
def test_any_number_of_hotwords(
    name: str,
    num_hotwords: int,
    prepared: dict[str, tuple[Path, Report]],
    features: list[NDArray[np.float32]],
) -> None:
    original = Session(MODELS / name / "model.onnx", num_hotwords=num_hotwords)
    graph = Session(prepared[name][0], num_hotwords=num_hotwords)
    spoken = [row for row in features if len(row) > 5]
    together = graph(spoken, extra=3, fill=4.0)
    for row, got in zip(spoken, together, strict=True):
        assert_says_what_the_original_says(name, original([row])[0], got, len(row))


@pytest.mark.parametrize(
    "name", [name for name in FP32_NAMES if "contextual" in name or "seaco" in name]
)
def test_rows_with_different_numbers_of_hotwords_share_a_batch(
    name: str,
    prepared: dict[str, tuple[Path, Report]],
    features: list[NDArray[np.float32]],
) -> None:
    spoken = [row for row in features if len(row) > 5]
    numbers = dict(zip(map(len, spoken), (1, 200, 30, 52), strict=True))
    original = Session(MODELS / name / "model.onnx", num_hotwords=numbers)
    for limits in (None, PackLimits(10_000, 0)):  # in packs as served, and all at once
        graph = Session(prepared[name][0], num_hotwords=numbers, limits=limits)
        for row, got in zip(spoken, graph(spoken), strict=True):
            assert_says_what_the_original_says(name, original([row])[0], got, len(row))


@pytest.mark.parametrize("kind", ["contextual_paraformer", "seaco_paraformer"])
def test_hotwords_matter(
    kind: str, prepared: dict[str, tuple[Path, Report]], features: list[NDArray[np.float32]]
) -> None:
    path = prepared[f"{kind}-small-seed1"][0]
    (with_one,) = Session(path, num_hotwords=1)([features[1]])
    (with_many,) = Session(path, num_hotwords=60)([features[1]])
    assert (with_one["token_ids"] != with_many["token_ids"]).any()


def assert_says_what_the_original_says(
    name: str, expected: Outputs, got: Outputs, num_frames: int
) -> None:
    logits = expected.pop("logits" if "logits" in expected else "ctc_logits").astype(float)
    expected["token_ids"] = logits.argmax(-1)
    total = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1)) + logits.max(-1)
    expected["token_scores"] = logits.max(-1) - total
    log_probs = logits - total[:, None]
    expected["candidate_scores"] = -np.sort(-log_probs)[:, :CANDIDATES]
    ids = got["candidate_ids"]
    own = np.take_along_axis(log_probs, ids.astype(int), 1)
    np.testing.assert_allclose(got["candidate_scores"], own, rtol=TOLERANCE, atol=TOLERANCE)
    assert all(len(set(row)) == CANDIDATES for row in ids.tolist())
    np.testing.assert_array_equal(ids[:, 0], got["token_ids"])
    assert len(set(expected["token_ids"].tolist())) > 1, "random weights say one thing only"
    if name.startswith(("paraformer", "contextual")):
        assert not got["us_cif_peak"].any(), "a model without timestamps gives zeros"
        assert got["us_cif_peak"].shape == (num_frames,)
    assert_same(expected, got)


@pytest.mark.parametrize("name", FP32_NAMES)
@pytest.mark.parametrize("extra, fill", [(1, 0.0), (7, 50.0), (100, -3.0), (20, np.nan)])
def test_padding_changes_nothing(
    name: str,
    extra: int,
    fill: float,
    prepared: dict[str, tuple[Path, Report]],
    features: list[NDArray[np.float32]],
) -> None:
    graph = Session(prepared[name][0])
    for row in features:
        assert_same(graph([row])[0], graph([row], extra, fill)[0])


@pytest.mark.parametrize("name", FP32_NAMES)
def test_neighbours_change_nothing(
    name: str, prepared: dict[str, tuple[Path, Report]], features: list[NDArray[np.float32]]
) -> None:
    graph = Session(prepared[name][0])
    alone = [graph([row])[0] for row in features]
    rng = np.random.default_rng(0)
    for _ in range(4):
        order = rng.permutation(len(features))[: rng.integers(2, len(features) + 1)].tolist()
        extra = int(rng.integers(10))
        for index, got in zip(order, graph([features[i] for i in order], extra, 9.0), strict=True):
            assert_same(alone[index], got)


@pytest.mark.parametrize("name", FP32_NAMES)
def test_rows_of_other_lengths_behind_one_another_change_nothing(
    name: str, prepared: dict[str, tuple[Path, Report]], features: list[NDArray[np.float32]]
) -> None:
    graph = Session(prepared[name][0])
    alone = [graph([row])[0] for row in features]
    rng = np.random.default_rng(2)
    for _ in range(4):
        order = rng.permutation(len(features))[: rng.integers(2, len(features) + 1)].tolist()
        rows = [features[index] for index in order]
        widths = [len(row) + int(rng.integers(3)) * 7 for row in rows]
        for index, got in zip(order, graph(rows, fill=np.nan, widths=widths), strict=True):
            assert_same(alone[index], got)


@pytest.mark.parametrize("name", FP32_NAMES)
def test_rows_that_say_nothing(
    name: str, prepared: dict[str, tuple[Path, Report]], features: list[NDArray[np.float32]]
) -> None:
    graph = Session(prepared[name][0])
    empty = np.zeros((0, 560), np.float32)
    spoken = features[1]
    alone = graph([spoken])[0]
    # First, last and middle: the exported CIF fails only where the last row fires nothing.
    for rows in ([empty, spoken], [spoken, empty], [features[0], spoken, empty, features[0]]):
        results = graph(rows, extra=2, fill=5.0)
        assert_same(alone, next(r for r, row in zip(results, rows, strict=True) if row is spoken))
    for rows in ([empty], [empty, empty], [features[0]], [features[0], empty]):
        raw = graph.raw(rows, [3] * len(rows), 0.0)
        assert raw["token_ids"].shape[1] >= 1
        for name_, value in raw.items():
            assert np.isfinite(value).all(), name_
        if "token_num" in raw:
            silent = [len(row) == 0 or not name.startswith(EAGER) for row in rows]
            np.testing.assert_array_equal(raw["token_num"][silent], 0)


@pytest.mark.parametrize("name", FP32_NAMES)
def test_tensors_are_those_of_the_contract(
    name: str, prepared: dict[str, tuple[Path, Report]]
) -> None:
    path, report = prepared[name]
    session = Session(path).session
    inputs = {value.name: (value.type, value.shape) for value in session.get_inputs()}
    outputs = {value.name: (value.type, len(value.shape)) for value in session.get_outputs()}
    integers, floats = "tensor(int32)", "tensor(float)"
    assert inputs.pop("speech") == (floats, ["speech_elements"])
    assert inputs.pop("speech_shape") == (integers, ["batch", 2])
    expected = {"token_ids": (integers, 2), "token_scores": (floats, 2)}
    expected |= {"candidate_ids": (integers, 3), "candidate_scores": (floats, 3)}
    if report.kind == "sensevoice":
        assert set(inputs) == {"speech_lengths", "language", "textnorm"}
        expected["encoder_out_lens"] = (integers, 1)
    else:
        assert inputs.pop("bias_embed") == (floats, ["bias_embed_elements"])
        assert inputs.pop("bias_embed_shape") == (integers, ["batch", 2])
        assert set(inputs) == {"speech_lengths"}
        expected |= {"token_num": (integers, 1)}
        expected |= dict.fromkeys(("us_alphas", "us_cif_peak"), (floats, 2))
    assert all(value == (integers, ["batch"]) for value in inputs.values())
    assert outputs == expected
    # Triton's C++ backend compares with -1 exactly: all dimensions symbolic.
    dims = [dim for value in session.get_outputs() for dim in value.shape]
    assert all(isinstance(dim, str) for dim in dims), dims


@pytest.mark.parametrize("name", FP32_NAMES)
def test_report_and_metadata(name: str, prepared: dict[str, tuple[Path, Report]]) -> None:
    path, report = prepared[name]
    assert report.kind == name.split("-")[0]
    assert report.precision == "fp32"
    assert not report.row_by_row
    assert report.mask_table_frames is None
    assert report.messages == ()
    assert report.figures["independence_max_score_difference"] < TOLERANCE
    stored = read_metadata(path)
    assert stored["row_by_row"] == "false"
    assert stored["kind"] == report.kind
    assert stored["source_sha256"] == report.source_sha256
    assert "original_max_score_difference" in stored["proof"]
    onnx.checker.check_model(onnx.load(path))


@pytest.mark.parametrize("name", FP32_NAMES)
def test_nothing_of_loops_and_logits_is_left(
    name: str, prepared: dict[str, tuple[Path, Report]]
) -> None:
    model = onnx.load(prepared[name][0])
    take_rows_padded(model)  # rows are laid out in a loop over packs of them
    operators = {node.op_type for node in model.graph.node}
    assert operators.isdisjoint({"Loop", "If", "NonZero", "ScatterND"})
    assert model.ir_version <= 10
    assert max(entry.version for entry in model.opset_import) <= 21


@pytest.mark.parametrize("kind", [name.removesuffix("-tiny-seed0") for name in FP32_NAMES[::2]])
def test_int8_runs_row_by_row_inside_the_graph(
    kind: str, tmp_path: Path, features: list[NDArray[np.float32]]
) -> None:
    target = tmp_path / "model.onnx"
    source = MODELS / f"{kind}-tiny-seed0" / "model_quant.onnx"
    report = prepare(source, target, threads=1)
    assert report.precision == "int8"
    assert report.row_by_row
    assert "one by one" in report.messages[0]
    assert read_metadata(target)["row_by_row"] == "true"
    assert report.figures["independence_max_score_difference"] == 0
    # As written: ONNX Runtime's fusions change last bits, which int8 turns into whole quanta.
    original, graph = Session(source, optimise=False), Session(target, optimise=False)
    assert report.figures["original_max_score_difference"] < TOLERANCE
    for row in features:
        if len(row) > 5:
            expected, got = original([row])[0], graph([row])[0]
            expected["token_ids"] = expected[
                "logits" if "logits" in expected else "ctc_logits"
            ].argmax(-1)
            assert_same({k: v for k, v in expected.items() if k != "token_scores"}, got)
    served = Session(target)
    together = served([*features, features[0][:0]])
    for row, got in zip(features, together, strict=False):
        for name, value in served([row])[0].items():
            np.testing.assert_array_equal(value, got[name])
    silent = Session(target)([features[0]])[0]  # nothing fires: must not fail, optimised or not
    graph([features[0]])
    assert silent.get("token_num", 0) == 0 or kind.startswith(EAGER)
