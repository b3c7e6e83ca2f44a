"""Widened convolutions give what they gave; what is no convolution over time stays as it is."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from asr_server.graphs import PrepareError, for_gpu, prepare, read_metadata
from asr_server.graphs.convolutions import (
    fuse_convolutions,
    unfold_convolutions,
    widen_convolutions,
)
from asr_server.graphs.graph import Graph
from asr_server.graphs.ragged import take_rows_padded
from lab.benchmark.operators import count_operators

MODELS = Path(__file__).parents[1] / "data" / "random_models"
EXPORTS = [
    "paraformer-tiny-seed0/model.onnx",
    "sensevoice-tiny-seed0/model.onnx",
    "paraformer_online-tiny-seed0/model.onnx",
    "paraformer_online-tiny-seed0/decoder.onnx",
    "ct_transformer-tiny-seed0/model.onnx",
]
# Exports, and how many of their convolutions are over all channels.
FOR_A_GPU = {
    "paraformer-tiny-seed0/model.onnx": 1,
    "bicif_paraformer-tiny-seed0/model.onnx": 2,
    "contextual_paraformer-tiny-seed0/model.onnx": 2,
    "sensevoice-tiny-seed0/model.onnx": 0,
    "paraformer_online-tiny-seed0/model.onnx": 1,
    "paraformer_online-tiny-seed0/decoder.onnx": 0,
    "ct_transformer-tiny-seed0/model.onnx": 0,
    "ct_transformer_streaming-tiny-seed0/model.onnx": 0,
    "fsmn_vad-tiny-seed0/model.onnx": 0,
}
CHANNELS, KERNEL = 16, 5
SHAPES = ((1, 1), (1, 9), (3, 40))  # rows, frames


def make_model(
    *,
    pads: tuple[int, ...] | None = (0, 0, 2, 0, 0, 2),
    filler: float | None = 0.0,
    computed_pads: bool = False,
    transposed: bool = True,
    shared: bool = False,
    group: int = CHANNELS,
    attributes: dict[str, object] | None = None,
) -> ModelProto:
    """x [B, T, C] -> y: a memory block with its residual connection, or a variation of it."""
    rng = np.random.default_rng(3)
    weight = rng.standard_normal((CHANNELS, CHANNELS // group, KERNEL)).astype(np.float32)
    tensors = {"weight": weight, "bias": rng.standard_normal(CHANNELS).astype(np.float32)}
    nodes = []
    tensor = "x"
    if transposed:
        nodes.append(helper.make_node("Transpose", ["x"], ["swapped"], perm=[0, 2, 1]))
        tensor = "swapped"
    if pads is not None:
        tensors["pads"] = np.array(pads, np.int64)
        amounts = "pads"
        if computed_pads:
            tensors["halves"] = tensors["pads"] // 2
            nodes.append(helper.make_node("Add", ["halves", "halves"], ["amounts"]))
            amounts = "amounts"
        inputs = [tensor, amounts]
        if filler is not None:
            tensors["filler"] = np.array(filler, np.float32)
            inputs.append("filler")
        nodes.append(helper.make_node("Pad", inputs, ["padded"]))
        tensor = "padded"
    nodes.append(
        helper.make_node(
            "Conv", [tensor, "weight", "bias"], ["memory"], group=group, **(attributes or {})
        )
    )
    tensor = "memory"
    if transposed:
        nodes.append(helper.make_node("Transpose", ["memory"], ["back"], perm=[0, 2, 1]))
        tensor = "back"
    nodes.append(helper.make_node("Sigmoid", [tensor], ["y"]))
    outputs = ["y"]
    if shared:
        nodes.append(helper.make_node("Neg", ["memory"], ["z"]))
        outputs.append("z")
    graph = helper.make_graph(
        nodes,
        "block",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", "t", "c"])],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "u", "v"])
            for name in outputs
        ],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=8)


def run(model: ModelProto, x: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})


def operators(model: ModelProto) -> list[str]:
    return [node.op_type for node in model.graph.node]


@pytest.mark.parametrize(
    ("variation", "has_pad"),
    [
        ({}, False),
        ({"pads": (0, 0, 4, 0, 0, 0)}, False),  # causal, as in a streaming decoder
        ({"computed_pads": True}, False),  # as torch's exporter spells them out
        ({"filler": None}, False),
        ({"pads": None, "attributes": {"pads": [3, 1]}}, False),
        ({"attributes": {"pads": [1, 2]}}, False),
        ({"transposed": False, "pads": (0, 0, 4, 0, 0, 4)}, False),
        ({"shared": True}, False),
        ({"attributes": {"strides": [2], "dilations": [2]}, "pads": (0, 0, 8, 0, 0, 0)}, False),
        ({"filler": 1.0}, True),
        ({"pads": (0, 0, 6, 0, 0, -1)}, True),
    ],
)
def test_a_widened_convolution_gives_what_it_gave(variation, has_pad):
    model = make_model(**variation)
    rng = np.random.default_rng(4)
    transposed = variation.get("transposed", True)
    inputs = [
        rng.standard_normal((rows, frames, CHANNELS) if transposed else (rows, CHANNELS, frames))
        for rows, frames in SHAPES
    ]
    inputs = [x.astype(np.float32) for x in inputs]
    expected = [run(model, x) for x in inputs]
    assert widen_convolutions(Graph(model)) == 1
    onnx.checker.check_model(model)
    assert ("Pad" in operators(model)) == has_pad
    for x, wanted in zip(inputs, expected, strict=True):
        for got, array in zip(run(model, x), wanted, strict=True):
            np.testing.assert_allclose(got, array, atol=1e-5)


@pytest.mark.parametrize("rewrite", [unfold_convolutions, fuse_convolutions])
@pytest.mark.parametrize(
    "variation",
    [
        {},
        {"pads": (0, 0, 4, 0, 0, 0)},
        {"pads": (0, 0, 7, 0, 0, 1)},
        {"computed_pads": True},
        {"filler": None},
        {"pads": None, "attributes": {"pads": [3, 1]}},
        {"attributes": {"pads": [1, 2]}},
        {"transposed": False, "pads": (0, 0, 4, 0, 0, 4)},
        {"shared": True},
        {"filler": 1.0},
    ],
)
def test_what_a_gpu_runs_gives_what_the_convolution_gave(variation, rewrite):
    model = make_model(**variation)
    rng = np.random.default_rng(4)
    transposed = variation.get("transposed", True)
    inputs = [
        rng.standard_normal((rows, frames, CHANNELS) if transposed else (rows, CHANNELS, frames))
        for rows, frames in SHAPES
    ]
    inputs = [x.astype(np.float32) for x in inputs]
    expected = [run(model, x) for x in inputs]
    assert rewrite(Graph(model)) == 1
    onnx.checker.check_model(model)
    assert "Conv" not in operators(model)
    for x, wanted in zip(inputs, expected, strict=True):
        for got, array in zip(run(model, x), wanted, strict=True):
            np.testing.assert_allclose(got, array, atol=1e-5)


@pytest.mark.parametrize("rewrite", [unfold_convolutions, fuse_convolutions])
def test_a_convolution_with_strides_stays_for_a_gpu(rewrite):
    model = make_model(attributes={"strides": [2], "dilations": [2]}, pads=(0, 0, 8, 0, 0, 0))
    assert rewrite(Graph(model)) == 0
    assert "Conv" in operators(model)


@pytest.mark.parametrize("onnxruntime", ["1.19", "1.25"])
@pytest.mark.parametrize(("export", "dense"), FOR_A_GPU.items())
def test_for_a_gpu_no_convolution_is_left(tmp_path, export, dense, onnxruntime):
    """The proof of `prepare` holds it against the original, as on a CPU."""
    before = depthwise_ranks(MODELS / export)
    report = prepare(
        MODELS / export,
        tmp_path / "model.onnx",
        device="gpu",
        onnxruntime=onnxruntime,
        threads=1,
    )
    assert report.edits["convolutions"] == len(before) > 0
    assert report.edits["dense_convolutions"] == dense
    found = count_operators(tmp_path / "model.onnx")
    newer = Counter(CausalConvWithState=len(before) if onnxruntime == "1.25" else 0)
    assert Counter({name: n for name, n in found.items() if "Conv" in name}) == newer
    assert found["MultiHeadAttention"] == report.edits["attentions"]
    assert bool(found["MultiHeadAttention"]) == ("vad" not in export)
    metadata = read_metadata(tmp_path / "model.onnx")
    assert (metadata["device"], metadata["onnxruntime"]) == ("gpu", onnxruntime)


@pytest.mark.parametrize(
    ("device", "installed", "message"),
    [
        ("cpu", onnxruntime.__version__, "expected a graph for a GPU, got one for a CPU"),
        ("gpu", "1.24.4", "expected ONNX Runtime 1.25 or newer, to prove .* got 1.24.4"),
        ("gpu", "1.9.0", "expected ONNX Runtime 1.25 or newer, to prove .* got 1.9.0"),
    ],
)
def test_newer_operators_are_refused_where_nothing_can_prove_them(
    tmp_path, monkeypatch, device, installed, message
):
    monkeypatch.setattr(for_gpu.ort, "__version__", installed)
    with pytest.raises(PrepareError, match=message):
        prepare(MODELS / EXPORTS[0], tmp_path / "m.onnx", device=device, onnxruntime="1.25")
    assert not list(tmp_path.iterdir())


def test_what_is_no_depthwise_convolution_over_time_stays():
    for model in (
        make_model(group=1),
        make_model(group=4),
        make_model(attributes={"auto_pad": "SAME_UPPER"}),
    ):
        before = model.SerializeToString()
        assert widen_convolutions(Graph(model)) == 0
        assert operators(model) == operators(onnx.load_from_string(before))


def depthwise_ranks(path: Path) -> list[int]:
    """Number of dimensions of the weights of each depthwise convolution."""
    model = onnx.load(str(path))
    take_rows_padded(model)
    graph = Graph(model)
    weights = [graph.constant_value(n.input[1]) for n in graph.nodes if n.op_type == "Conv"]
    return [weight.ndim for weight in weights if weight is not None and weight.shape[1] == 1]


@pytest.mark.parametrize("export", EXPORTS)
def test_every_memory_block_of_an_export_is_widened(tmp_path, export):
    before = depthwise_ranks(MODELS / export)
    report = prepare(MODELS / export, tmp_path / "model.onnx", threads=1)
    assert before == [3] * len(before)
    assert report.edits["convolutions"] == len(before) > 0
    assert depthwise_ranks(tmp_path / "model.onnx") == [4] * len(before)


@pytest.mark.parametrize("export", ["sensevoice-tiny-seed0", "paraformer-tiny-seed0"])
def test_for_a_gpu_a_layer_has_few_operators(tmp_path, export):
    """Attention, residual sums with their normalisations and memory blocks are fused."""
    report = prepare(MODELS / export / "model.onnx", tmp_path / "gpu.onnx", device="gpu", threads=1)
    found = count_operators(tmp_path / "gpu.onnx")
    assert found["Softmax"] == found["Conv"] == 0
    assert found["MultiHeadAttention"] == report.edits["attentions"] > 0
    memory_blocks = found["UnfoldTensor"] - report.edits["dense_convolutions"]
    assert memory_blocks == report.edits["attentions"]
    assert found["SkipLayerNormalization"] == report.edits["skip_norms"] > 0
    assert found["LayerNormalization"] <= found["SkipLayerNormalization"]
