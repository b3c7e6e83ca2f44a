"""int8 and float16 graphs against the float32 ones they are made from."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnx
import pytest

from asr_core.config import load_config
from asr_server.commands.convert import main
from asr_server.graphs import PrepareError, convert, prepare, read_metadata
from asr_server.graphs.activations import measure_peaks
from asr_server.graphs.element_types import drop_idle_nodes, element_types
from asr_server.graphs.feeds import make_feeds
from asr_server.graphs.float16 import HEADROOM, LARGEST, residual_scale, to_float16
from asr_server.graphs.graph import Graph
from asr_server.graphs.int8 import quantize
from asr_server.graphs.layer_norm import fuse_layer_norms
from asr_server.graphs.predictor import predictor_nodes
from asr_server.graphs.residual import find_residual_streams, rescale
from asr_server.graphs.session import Session
from asr_server.models import DEFAULT_RECIPE
from tests.precision_models import (
    SAMPLES,
    enlarge_residual_stream,
    heldout_features,
    load,
    prepared_model,
    sample_features,
)
from tests.serving import EMBEDDED, RANDOM_MODELS

KINDS = ("paraformer", "sensevoice")
RECIPES = ("signed", "funasr", "per_frame")


@pytest.fixture(scope="module", params=KINDS)
def kind(request):
    return request.param


@pytest.fixture(scope="module")
def prepared(kind, tmp_path_factory):
    return prepared_model(kind, tmp_path_factory.mktemp(kind))


def run(model, feeds):
    """Outputs by name of each feed."""
    session = Session(model.SerializeToString(), 1, optimise=True)
    return [session(dict(feed)) for feed in feeds]


def same_ids(expected, got):
    return [
        np.array_equal(one["token_ids"], other["token_ids"])
        for one, other in zip(expected, got, strict=True)
    ]


def assert_close(expected, got, tolerance):
    for one, other in zip(expected, got, strict=True):
        for name, values in one.items():
            np.testing.assert_allclose(other[name], values, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("name", ["paraformer", "bicif_paraformer", "sensevoice"])
def test_element_types_are_those_of_onnx(name, tmp_path):
    path = tmp_path / "model.onnx"
    prepare(RANDOM_MODELS / f"{name}-tiny-seed0" / "model.onnx", path, threads=1)
    model = load(path)
    types = element_types(Graph(model))
    inferred = onnx.shape_inference.infer_shapes(model).graph
    values = [*inferred.value_info, *inferred.output]
    assert len(values) > 300
    for value in values:
        assert types[value.name] == value.type.tensor_type.elem_type, value.name


def test_layer_norms_and_residual_streams(kind, prepared):
    """Fusing and rescaling change nothing but last digits."""
    model = load(prepared)
    feeds = make_feeds(model, sample_features(kind))
    expected = run(model, feeds)
    graph = Graph(model)
    drop_idle_nodes(graph)
    roots = sum(node.op_type == "Sqrt" for node in graph.nodes)
    assert fuse_layer_norms(graph) == roots > 10  # every square root was a deviation
    streams = find_residual_streams(graph)
    assert max(len(stream.norms) for stream in streams) >= 10  # the encoder's five layers
    for stream in streams:
        rescale(graph, stream, 64.0)
    graph.finish()
    onnx.checker.check_model(model)
    got = run(model, feeds)
    assert all(same_ids(expected, got))
    assert_close(expected, got, 1e-3)


@pytest.mark.parametrize(
    ("peak", "scale"),
    [(0.0, 1), (10.0, 1), (LARGEST / HEADROOM, 1), (LARGEST / 2, 2), (LARGEST, 4), (1e6, 64)],
)
def test_a_residual_stream_is_divided_by_a_power_of_two(peak, scale):
    assert residual_scale(peak) == scale
    assert peak / scale * HEADROOM <= LARGEST


def test_float16_says_what_float32_says(kind, prepared):
    model = load(prepared)
    feeds = make_feeds(model, heldout_features(kind))
    expected = run(model, feeds)
    report = to_float16(model, make_feeds(model, sample_features(kind)), threads=1)
    onnx.checker.check_model(model)
    assert report.float16_nodes > 100
    got = run(model, feeds)
    equal = same_ids(expected, got)
    # Two candidates within float16's precision may change places.
    assert sum(equal) >= 0.95 * len(equal)
    for one, other in zip(expected, got, strict=True):
        assert {name: value.dtype for name, value in one.items()} == {
            name: value.dtype for name, value in other.items()
        }


def test_the_predictor_stays_float32(prepared, kind):
    if kind != "paraformer":
        assert predictor_nodes(Graph(load(prepared))) == set()
        return
    model = load(prepared)
    to_float16(model, make_feeds(model, sample_features(kind)), threads=1)
    graph = Graph(model)
    types = element_types(graph)
    nodes = [graph.nodes[index] for index in predictor_nodes(graph)]
    assert {"CumSum", "Sigmoid", "LSTM", "ConvTranspose"} <= {node.op_type for node in nodes}
    for node in nodes:
        assert types.get(node.output[0]) != onnx.TensorProto.FLOAT16, node.name
    for recipe in RECIPES:
        graph = Graph(quantize(load(prepared), recipe)[0])
        operators = {graph.nodes[index].op_type for index in predictor_nodes(graph)}
        assert operators.isdisjoint({"MatMulInteger", "MatMulIntegerToFloat"})


def test_overflow_is_cured_by_rescaling(kind, prepared):
    """A model that says the same with a residual stream far beyond 65504."""
    model = load(prepared)
    feeds = make_feeds(model, sample_features(kind))
    expected = run(model, feeds)
    layers = load_config(EMBEDDED[kind])["encoder_conf"]["num_blocks"]
    assert enlarge_residual_stream(model, 4096.0) == 3 * layers
    assert all(same_ids(expected, run(model, feeds)))
    without, cured = load(prepared), load(prepared)
    for copy in (without, cured):
        enlarge_residual_stream(copy, 4096.0)
    before = to_float16(without, feeds, threads=1, rescaling=False)
    assert before.largest > 2 * LARGEST
    assert not any(same_ids(expected, run(without, feeds)))
    report = to_float16(cured, feeds, threads=1)
    assert report.scales
    assert report.largest * HEADROOM <= LARGEST
    got = run(cured, feeds)
    assert all(same_ids(expected, got))
    # Not only on the CPU, which computes many float16 operators in float32: no float16 tensor
    # comes near the end.
    graph = Graph(cured)
    halves = [
        name
        for name, element_type in element_types(graph).items()
        if element_type == onnx.TensorProto.FLOAT16 and graph.constant_value(name) is None
    ]
    peaks = measure_peaks(cured, halves, feeds, threads=1)
    assert len(peaks) > 100
    assert max(peaks.values()) < LARGEST / 2


@pytest.mark.parametrize("recipe", RECIPES)
def test_int8_agrees_with_float32(kind, prepared, recipe):
    model = load(prepared)
    feeds = make_feeds(model, heldout_features(kind))
    expected = run(model, feeds)
    quantized, count = quantize(model, recipe)
    onnx.checker.check_model(quantized)
    assert count > 20
    got = run(quantized, feeds)
    tokens, equal = 0, 0
    for one, other in zip(expected, got, strict=True):
        ids, others = one["token_ids"][0], other["token_ids"][0]
        tokens += len(ids)
        common = min(len(ids), len(others))
        equal += int((ids[:common] == others[:common]).sum())
    required = 0.99 if recipe == DEFAULT_RECIPE else 0.97
    assert equal >= required * tokens, f"{equal} of {tokens}"


@pytest.mark.parametrize(
    ("precision", "recipe"),
    [("int8", "signed"), ("int8", "funasr"), ("int8", "per_frame"), ("fp16", "signed")],
)
def test_a_converted_file_does_not_depend_on_the_batch(kind, prepared, tmp_path, precision, recipe):
    target = tmp_path / "model.onnx"
    features = sample_features(kind)
    report = convert(prepared, target, precision, features, recipe=recipe, threads=1)
    assert report.row_by_row is (precision == "int8" and recipe != "per_frame")
    assert report.batch_tokens > 100
    # Exact where rows run one by one; elsewhere a rounding may fall the other way.
    allowed = 0 if report.row_by_row else 0.01 * report.batch_tokens
    assert report.batch_changed_ids <= allowed
    assert report.logits.equal_choices >= 0.97 * report.logits.steps
    metadata = read_metadata(target)
    assert metadata["precision"] == precision
    assert metadata["row_by_row"] == ("true" if report.row_by_row else "false")
    if precision == "int8":
        assert target.stat().st_size < 0.5 * prepared.stat().st_size
    json.dumps(report.as_dict())


@pytest.mark.parametrize("variant", ["contextual", "seaco"])
@pytest.mark.parametrize("precision", ["int8", "fp16"])
def test_models_with_hotwords(tmp_path, variant, precision):
    source, target = tmp_path / "fp32.onnx", tmp_path / "converted.onnx"
    folder = RANDOM_MODELS / f"{variant}_paraformer-tiny-seed0"
    prepare(folder / "model.onnx", source, threads=1)
    report = convert(source, target, precision, sample_features("paraformer"), threads=1)
    assert report.logits.mean < (0.2 if precision == "int8" else 0.01) * report.logits.spread
    assert report.batch_changed_ids <= (0 if precision == "int8" else 0.02 * report.batch_tokens)


def test_memory_blocks_of_one_operator_compute_in_float16(tmp_path):
    source, target = tmp_path / "fp32.onnx", tmp_path / "converted.onnx"
    folder = RANDOM_MODELS / "sensevoice-tiny-seed0"
    prepared = prepare(folder / "model.onnx", source, device="gpu", onnxruntime="1.25", threads=1)
    report = convert(source, target, "fp16", sample_features("sensevoice"), threads=1)
    assert report.logits.mean < 0.01 * report.logits.spread
    assert report.batch_changed_ids <= 0.02 * report.batch_tokens
    graph = Graph(load(target))
    types = element_types(graph)
    blocks = [node for node in graph.nodes if node.op_type == "CausalConvWithState"]
    assert len(blocks) == prepared.edits["convolutions"] > 0
    assert {types[node.output[0]] for node in blocks} == {onnx.TensorProto.FLOAT16}


def test_what_cannot_be_converted(tmp_path, capsys):
    source = EMBEDDED["sensevoice"] / "model.onnx"
    with pytest.raises(PrepareError, match="expected a file in fp32 written by"):
        convert(source, tmp_path / "x.onnx", "int8", sample_features("sensevoice"))
    wav = str(next(Path(SAMPLES).glob("*.wav")))
    arguments = [str(source), str(tmp_path / "x.onnx"), "--precision", "fp16", "--wav", wav]
    assert main(arguments) == 1
    assert "expected a file in fp32" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


def test_the_command_line_writes_file_and_report(kind, prepared, tmp_path, capsys):
    target, report = tmp_path / "int8.onnx", tmp_path / "report.json"
    wavs = [str(path) for path in sorted(SAMPLES.glob("*.wav"))]
    arguments = [str(prepared), str(target), "--precision", "int8", "--wav", *wavs]
    arguments += ["--am-mvn", str(EMBEDDED[kind] / "am.mvn"), "--report", str(report)]
    assert main([*arguments, "--threads", "1"]) == 0
    assert "rows one by one" in capsys.readouterr().out
    assert json.loads(report.read_text())["precision"] == "int8"
    assert target.is_file()
