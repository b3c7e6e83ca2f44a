"""Promises of the prepared streaming graphs, on small random-weight exports."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import pytest

from asr_server.graphs import FrontEnd, Report, load_front_end, prepare, read_metadata
from asr_server.graphs.float16 import to_float16
from asr_server.graphs.streaming_float16 import halve_cache
from tests.graphs.graph_rows import MODELS
from tests.lab.test_random_models import ONLINE_NAMES

TOLERANCE = 1e-4
# (model, suffix of its graphs' names)
VARIANTS = [*((name, "") for name in ONLINE_NAMES), (ONLINE_NAMES[0], "_quant")]
FP32 = VARIANTS[:2]
CHUNK = [*range(1, 11)]
# Positions of the encoder's rows in each window, 0 for a row of zeros.
WINDOWS = [
    [0] * 10 + CHUNK,
    [*range(6, 26)],
    [*range(3, 9)],
    [*range(20, 30), *range(25, 30)],
    [*range(11, 26), 0, 0, 0, 0, 0],
    [4],
]
LENGTHS = [1, 3, 2, 14]  # tokens in each decoder call; 14 exceed the cache

Outputs = dict[str, np.ndarray]


def open_session(path: Path, optimise: bool = True) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


class Prepared:
    """Both prepared graphs of one model, and the originals."""

    def __init__(self, name: str, suffix: str, folder: Path) -> None:
        self.directory = MODELS / name
        self.optimise = suffix == ""  # what ONNX Runtime fuses changes int8's last bits
        self.sources = {
            "encoder": self.directory / f"model{suffix}.onnx",
            "decoder": self.directory / f"decoder{suffix}.onnx",
        }
        self.paths = {part: folder / f"{name}{suffix}-{part}.onnx" for part in self.sources}
        self.reports: dict[str, Report] = {
            part: prepare(source, self.paths[part], threads=1)
            for part, source in self.sources.items()
        }
        self.front_end: FrontEnd = load_front_end(self.directory)
        self.served, self.originals = (
            {part: open_session(path, self.optimise) for part, path in paths.items()}
            for paths in (self.paths, self.sources)
        )

    def __call__(self, part: str, feed: Outputs) -> Outputs:
        session = self.served[part]
        names = [output.name for output in session.get_outputs()]
        return dict(zip(names, session.run(names, feed), strict=True))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> Callable[[tuple[str, str]], Prepared]:
    made: dict[tuple[str, str], Prepared] = {}

    def make(variant: tuple[str, str]) -> Prepared:
        if variant not in made:
            made[variant] = Prepared(*variant, tmp_path_factory.mktemp("prepared"))
        return made[variant]

    return make


def slabs() -> list[tuple[np.ndarray, int, np.ndarray]]:
    """Frames, first position and positions of each window, unlike those of the proof."""
    rng = np.random.default_rng(11)
    windows = []
    for rows in WINDOWS:
        positions = np.array(rows, np.int32)
        first = int(positions[positions > 0].min())
        count = 6 * (positions.max() - first) + 7
        windows.append((rng.normal(12, 5, (count, 80)).astype(np.float32), first, positions))
    return windows


def encoder_feed(
    windows: list[tuple[np.ndarray, int, np.ndarray]], extra: int = 0, fill: float = 0.0
) -> Outputs:
    frames = max(len(fbank) for fbank, _, _ in windows) + 6 * extra
    rows = max(len(positions) for _, _, positions in windows) + extra
    fbanks = np.full((len(windows), frames, 80), fill, np.float32)
    all_positions = np.zeros((len(windows), rows), np.int32)
    for index, (fbank, _, positions) in enumerate(windows):
        fbanks[index, : len(fbank)] = fbank
        all_positions[index, : len(positions)] = positions
    return {
        "fbank": fbanks,
        "first_position": np.array([[first] for _, first, _ in windows], np.int32),
        "positions": all_positions,
        "window_lengths": np.array([[len(rows)] for _, _, rows in windows], np.int32),
    }


@pytest.mark.parametrize("variant", VARIANTS, ids="".join)
def test_encoder_equals_funasr(variant: tuple[str, str], prepared: Callable[..., Prepared]) -> None:
    model = prepared(variant)
    for fbank, first, positions in slabs():
        outputs = model("encoder", encoder_feed([(fbank, first, positions)]))
        speech = model.front_end(fbank, first, positions)[None]
        lengths = np.array([len(positions)], np.int32)
        hidden, _, alphas = model.originals["encoder"].run(
            None, {"speech": speech, "speech_lengths": lengths}
        )
        # The front end's last bit becomes a whole quantum in int8; there the proof compares bits.
        atol = TOLERANCE if model.optimise else 0.3
        np.testing.assert_allclose(outputs["hidden"], hidden, atol=atol)
        np.testing.assert_allclose(outputs["alphas"], alphas, atol=atol)
        assert outputs["alphas"].std() > 0 or len(positions) == 1


@pytest.mark.parametrize("variant", VARIANTS, ids="".join)
@pytest.mark.parametrize("extra, fill", [(0, 0.0), (1, 0.0), (5, 40.0), (30, np.nan)])
def test_padding_and_neighbours_change_no_window(
    variant: tuple[str, str], extra: int, fill: float, prepared: Callable[..., Prepared]
) -> None:
    model = prepared(variant)
    windows = slabs()
    alone = [model("encoder", encoder_feed([window])) for window in windows]
    atol = TOLERANCE if model.optimise else 0
    for batch in ([0], [2], [5, 1], [3, 2, 4, 0, 1, 5]):
        together = model("encoder", encoder_feed([windows[i] for i in batch], extra, fill))
        for row, number in enumerate(batch):
            length = len(WINDOWS[number])
            for name, values in together.items():
                expected = alone[number][name][0]
                np.testing.assert_allclose(values[row, :length], expected, rtol=0, atol=atol)
                assert not values[row, length:].any(), name


@pytest.mark.parametrize("variant", VARIANTS, ids="".join)
def test_an_empty_window_gives_zeros(
    variant: tuple[str, str], prepared: Callable[..., Prepared]
) -> None:
    feed = encoder_feed(slabs()[1:2])
    feed["window_lengths"][:] = 0
    for values in prepared(variant)("encoder", feed).values():
        assert not values.any()


def decoder_calls(model: Prepared, seed: int = 3) -> list[Outputs]:
    """Calls of one stream in order, each with the cache that FunASR's graph gave before."""
    rng = np.random.default_rng(seed)
    dim = model.front_end.output_size
    shapes = {value.name: value.shape for value in model.originals["decoder"].get_inputs()}
    layers = [name for name in shapes if name.startswith("in_cache")]
    cache = np.zeros((len(layers), dim, shapes[layers[0]][2]), np.float32)
    calls = []
    for number, count in enumerate(LENGTHS):
        hidden = rng.standard_normal((6 + 5 * number, dim)).astype(np.float32)
        embeds = rng.standard_normal((count, dim)).astype(np.float32)
        feed = {
            "enc": hidden[None],
            "enc_len": np.array([len(hidden)], np.int32),
            "acoustic_embeds": embeds[None],
            "acoustic_embeds_len": np.array([count], np.int32),
        }
        feed |= {name: cache[None, i] for i, name in enumerate(layers)}
        logits, ids, *caches = model.originals["decoder"].run(None, feed)
        following = np.stack([layer[0, :, -cache.shape[2] :] for layer in caches])
        logits = logits[0].astype(np.float64)
        total = np.log(np.exp(logits - logits.max(-1, keepdims=True)).sum(-1))
        calls.append(
            {
                "hidden": hidden,
                "acoustic_embeds": embeds,
                "cache": cache,
                "token_ids": ids[0],
                "token_scores": -total,
                "next_cache": following,
            }
        )
        cache = following
    return calls


def decoder_feed(calls: list[Outputs], extra: int = 0, fill: float = 0.0) -> Outputs:
    caches = np.stack([call["cache"] for call in calls])
    feed: dict[str, Any] = {"cached_columns": caches.transpose(0, 3, 1, 2)}
    for name, lengths in (("hidden", "hidden_lengths"), ("acoustic_embeds", "embeds_lengths")):
        rows = [call[name] for call in calls]
        width = max(1, *map(len, rows)) + extra
        padded = np.full((len(rows), width, rows[0].shape[1]), fill, np.float32)
        for target, row in zip(padded, rows, strict=True):
            target[: len(row)] = row
        feed[name] = padded
        feed[lengths] = np.array([[len(row)] for row in rows], np.int32)
    return feed


def assert_call(expected: Outputs, outputs: Outputs, row: int) -> None:
    count = len(expected["acoustic_embeds"])
    np.testing.assert_array_equal(outputs["token_ids"][row, :count], expected["token_ids"])
    got = {name: outputs[name][row, :count] for name in ("token_scores", "new_columns")}
    columns = got.pop("new_columns").transpose(1, 2, 0)
    size = expected["cache"].shape[2]
    got["next_cache"] = np.concatenate([expected["cache"], columns], axis=2)[:, :, -size:]
    for name, values in got.items():
        np.testing.assert_allclose(values, expected[name], rtol=0, atol=TOLERANCE, err_msg=name)


@pytest.mark.parametrize("variant", VARIANTS, ids="".join)
def test_decoder_equals_funasr(variant: tuple[str, str], prepared: Callable[..., Prepared]) -> None:
    model = prepared(variant)
    calls = decoder_calls(model)
    assert len({int(i) for call in calls for i in call["token_ids"]}) >= 8
    for call in calls:
        assert_call(call, model("decoder", decoder_feed([call])), 0)


@pytest.mark.parametrize("variant", VARIANTS, ids="".join)
@pytest.mark.parametrize("extra, fill", [(0, 0.0), (1, 0.0), (4, 40.0), (20, np.nan)])
def test_padding_and_neighbours_change_no_call(
    variant: tuple[str, str], extra: int, fill: float, prepared: Callable[..., Prepared]
) -> None:
    model = prepared(variant)
    calls = decoder_calls(model) + decoder_calls(model, seed=4)
    silent = {**calls[5], "acoustic_embeds": calls[5]["acoustic_embeds"][:0]}
    for batch in ([0], [1], [3, 0], [2, 7, 1, 0, 4, 5, 6, 3]):
        chosen = [*(calls[i] for i in batch), silent]
        outputs = model("decoder", decoder_feed(chosen, extra, fill))
        for row, number in enumerate(batch):
            assert_call(calls[number], outputs, row)
        for values in outputs.values():
            assert np.isfinite(values).all()


@pytest.mark.parametrize("variant", VARIANTS, ids="".join)
def test_tensors_are_those_of_the_contract(
    variant: tuple[str, str], prepared: Callable[..., Prepared]
) -> None:
    model = prepared(variant)
    floats, integers = "tensor(float)", "tensor(int32)"
    inputs = {
        part: {value.name: (value.type, value.shape) for value in session.get_inputs()}
        for part, session in model.served.items()
    }
    assert inputs["encoder"] == {
        "fbank": (floats, ["batch", "fbank_frames", "mel_bins"]),
        "first_position": (integers, ["batch", 1]),
        "positions": (integers, ["batch", "frames"]),
        "window_lengths": (integers, ["batch", 1]),
    }
    column = model.reports["decoder"].warm_up["cached_columns"].dims[1:]  # as the export has them
    assert inputs["decoder"] == {
        "hidden": (floats, ["batch", "frames", column[1]]),
        "hidden_lengths": (integers, ["batch", 1]),
        "acoustic_embeds": (floats, ["batch", "tokens", column[1]]),
        "embeds_lengths": (integers, ["batch", 1]),
        "cached_columns": (floats, ["batch", "columns", *column]),
    }
    outputs = {
        part: {value.name: (value.type, len(value.shape)) for value in session.get_outputs()}
        for part, session in model.served.items()
    }
    assert outputs["encoder"] == {"hidden": (floats, 3), "alphas": (floats, 2)}
    assert outputs["decoder"] == {
        "token_ids": (integers, 2),
        "token_scores": (floats, 2),
        "candidate_ids": (integers, 3),
        "candidate_scores": (floats, 3),
        "new_columns": (floats, 4),
    }
    for part, session in model.served.items():
        for value in session.get_outputs():
            assert isinstance(value.shape[0], str), "batch dimension"
            configured = model.reports[part].tensors["output"][value.name].dims
            sizes = [size if isinstance(size, int) else -1 for size in value.shape[1:]]
            assert list(configured) == sizes  # Triton's C++ backend compares them exactly
    for path in model.paths.values():
        file = onnx.load(path)
        onnx.checker.check_model(file)
        assert file.ir_version <= 10
        assert max(entry.version for entry in file.opset_import) <= 21


@pytest.mark.parametrize("variant", VARIANTS, ids="".join)
def test_report_and_metadata(variant: tuple[str, str], prepared: Callable[..., Prepared]) -> None:
    model = prepared(variant)
    int8 = not model.optimise
    for part, report in model.reports.items():
        assert report.kind == f"streaming_{part}"
        assert report.precision == ("int8" if int8 else "fp32")
        assert report.row_by_row is int8
        assert bool(report.messages) is int8
        stored = read_metadata(model.paths[part])
        assert stored["kind"] == report.kind
        assert "independence_rows" in stored["proof"]
    figures = [*model.reports["encoder"].figures.items(), *model.reports["decoder"].figures.items()]
    for name, value in figures:
        if "difference" in name:
            assert value <= TOLERANCE
            if int8 and name.startswith("independence"):
                assert value == 0


@pytest.mark.parametrize("variant", FP32, ids="".join)
def test_nothing_loops_and_no_logits_are_left(
    variant: tuple[str, str], prepared: Callable[..., Prepared]
) -> None:
    for path in prepared(variant).paths.values():
        operators = {node.op_type for node in onnx.load(path).graph.node}
        assert operators.isdisjoint({"Loop", "If", "NonZero", "ScatterND"})


@pytest.mark.parametrize("variant", FP32, ids="".join)
def test_a_float16_decoder_loses_nothing_by_a_cache_in_float16(
    variant: tuple[str, str], prepared: Callable[..., Prepared], tmp_path: Path
) -> None:
    """It rounds what it remembers itself: both graphs give the same bits, stream after stream."""
    source = prepared(variant)
    calls = decoder_calls(source)
    path, halved = tmp_path / "decoder.onnx", tmp_path / "halved.onnx"
    model = onnx.load(source.paths["decoder"])
    to_float16(model, [decoder_feed([call]) for call in calls], threads=1)
    onnx.save(model, path)
    shutil.copy(path, halved)
    halve_cache(halved)
    whole, half = open_session(path), open_session(halved)
    feed = decoder_feed(calls, extra=2)
    expected = whole.run(None, feed)
    outputs = half.run(None, {**feed, "cached_columns": feed["cached_columns"].astype(np.float16)})
    for value, want, got in zip(half.get_outputs(), expected, outputs, strict=True):
        is_cache = value.name == "new_columns"
        assert got.dtype == (np.float16 if is_cache else want.dtype)
        np.testing.assert_array_equal(got, want, err_msg=value.name)
