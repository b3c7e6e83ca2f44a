"""Convolutions written as matrix products give what they gave, those of other sorts stay."""

from __future__ import annotations

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from asr_server.graphs.dense_convolutions import flatten_columns, multiply_convolutions
from asr_server.graphs.graph import Graph

CHANNELS, OUT = 6, 4


def make_model(
    op: str, kernel: int, *, bias: bool, turned: bool, both: bool = False, **attributes: object
) -> ModelProto:
    """One convolution of x, [B, T, C] where `turned`, read once or in both layouts."""
    rng = np.random.default_rng(3)
    sizes = (CHANNELS, OUT, kernel) if op == "ConvTranspose" else (OUT, CHANNELS, kernel)
    values = {"w": rng.standard_normal(sizes), "b": rng.standard_normal(OUT)}
    weights = [numpy_helper.from_array(v.astype(np.float32), k) for k, v in values.items()]
    source = "x"
    nodes = []
    if turned:
        nodes.append(helper.make_node("Transpose", ["x"], ["turned"], perm=[0, 2, 1]))
        source = "turned"
    inputs = [source, "w", "b"] if bias else [source, "w"]
    nodes.append(helper.make_node(op, inputs, ["c"], **attributes))
    outputs = []
    if turned:
        nodes.append(helper.make_node("Transpose", ["c"], ["y"], perm=[0, 2, 1]))
        outputs.append("y")
    if both or not turned:
        nodes.append(helper.make_node("Relu", ["c"], ["z"]))
        outputs.append("z")
    dims = ["b", "t", CHANNELS] if turned else ["b", CHANNELS, "t"]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, dims)],
        [
            helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", "n", "m"])
            for name in outputs
        ],
        weights,
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)


def run(model: ModelProto, x: np.ndarray) -> list[np.ndarray]:
    session = onnxruntime.InferenceSession(
        model.SerializeToString(), providers=["CPUExecutionProvider"]
    )
    return session.run(None, {"x": x})


def operators(model: ModelProto) -> set[str]:
    return {node.op_type for node in model.graph.node}


CASES = [
    ("Conv", 3, {"pads": [1, 1]}),
    ("Conv", 3, {"pads": [2, 0]}),
    ("Conv", 1, {}),
    ("Conv", 5, {"strides": [1], "dilations": [1], "group": 1}),
    ("ConvTranspose", 3, {"strides": [3]}),
    ("ConvTranspose", 2, {"strides": [2], "pads": [0, 0]}),
]


@pytest.mark.parametrize(("op", "kernel", "attributes"), CASES)
@pytest.mark.parametrize("bias", [True, False])
@pytest.mark.parametrize(("turned", "both"), [(True, False), (True, True), (False, False)])
def test_a_product_gives_what_the_convolution_gave(op, kernel, attributes, bias, turned, both):
    model = make_model(op, kernel, bias=bias, turned=turned, both=both, **attributes)
    rng = np.random.default_rng(5)
    shapes = [(1, 7), (3, 40)]
    inputs = [
        rng.standard_normal((rows, t, CHANNELS) if turned else (rows, CHANNELS, t))
        for rows, t in shapes
    ]
    inputs = [x.astype(np.float32) for x in inputs]
    expected = [run(model, x) for x in inputs]
    assert multiply_convolutions(Graph(model)) == 1
    onnx.checker.check_model(model)
    assert op not in operators(model)
    for x, wanted in zip(inputs, expected, strict=True):
        for got, array in zip(run(model, x), wanted, strict=True):
            np.testing.assert_allclose(got, array, atol=1e-5)


@pytest.mark.parametrize(
    ("op", "kernel", "attributes"),
    [
        ("Conv", 3, {"strides": [2]}),
        ("Conv", 3, {"dilations": [2]}),
        ("Conv", 3, {"auto_pad": "SAME_UPPER"}),
        ("ConvTranspose", 3, {"strides": [2]}),  # its results overlap
        ("ConvTranspose", 3, {"strides": [3], "pads": [1, 1]}),
        ("ConvTranspose", 3, {"strides": [3], "output_padding": [1]}),
    ],
)
def test_other_sorts_stay(op, kernel, attributes):
    model = make_model(op, kernel, bias=True, turned=True, **attributes)
    assert multiply_convolutions(Graph(model)) == 0
    assert op in operators(model)


@pytest.mark.parametrize(
    ("attributes", "found"),
    [({"group": CHANNELS}, 1), ({"pads": [2, 0, 1, 0]}, 1), ({"pads": [0, 1, 0, 1]}, 0)],
)
def test_an_image_of_one_column_loses_it(attributes, found):
    rng = np.random.default_rng(7)
    inner = CHANNELS // attributes.get("group", 1)
    weight = rng.standard_normal((CHANNELS, inner, 4, 1)).astype(np.float32)
    shape = ["b", CHANNELS, "t", 1]
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "w"], ["c"], **attributes),
            helper.make_node("Relu", ["c"], ["y"]),
        ],
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(weight, "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 14)], ir_version=7)
    x = rng.standard_normal((2, CHANNELS, 9, 1)).astype(np.float32)
    (expected,) = run(model, x)
    assert flatten_columns(Graph(model)) == found
    np.testing.assert_allclose(run(model, x)[0], expected, atol=1e-5)
