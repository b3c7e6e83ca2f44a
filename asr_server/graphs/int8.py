"""Dynamic int8: weights in eight bits, activations quantised at run time.

Recipes:

- `signed`: signed weights, a scale for each output channel, the matrix product with the vocabulary
  included; one activation scale for a whole tensor.
- `funasr`: what FunASR's exporter does: unsigned weights, the output layer left out.
- `per_frame`: signed weights as above, and an activation scale for each frame, so that frames, and
  with them rows, do not meet in a scale.

None touches the CIF predictor (`predictor`). The first two make a row depend on its neighbours and
therefore run row by row inside the graph (`row_loop`); the third runs all rows at once.

Source: FunASR `funasr/utils/export_utils.py`, `_onnx`; ONNX Runtime's `quantize_dynamic`.
"""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.graph import MICROSOFT, Graph
from asr_server.graphs.logits import output_layer
from asr_server.graphs.predictor import predictor_nodes
from asr_server.models.names import Int8Recipe

_ZERO_POINT = 128  # of unsigned eight-bit activations that may be of either sign


def needs_row_loop(recipe: Int8Recipe) -> bool:
    """Return whether a row's answer would depend on its neighbours without a loop over the rows."""
    return recipe != "per_frame"


def quantize(model: ModelProto, recipe: Int8Recipe) -> tuple[ModelProto, int]:
    """Return a graph with eight-bit matrix products, and how many there are.

    Args:
        model: a float32 graph; may be changed.
        recipe: see above.

    Raises:
        PrepareError: there is no matrix product with constant weights.
    """
    if recipe == "per_frame":
        count = quantize_per_frame(model)
    else:
        model = _quantize_dynamic(model, recipe)
        count = sum(node.op_type == "MatMulInteger" for node in model.graph.node)
    if count == 0:
        raise PrepareError("no matrix product with constant weights found to quantise")
    return model, count


def _quantize_dynamic(model: ModelProto, recipe: Int8Recipe) -> ModelProto:
    signed = recipe == "signed"
    graph = Graph(model)
    for node in graph.nodes:  # what is left out is named by its node
        node.name = node.name or f"{node.output[0]}_node"
    excluded = [graph.nodes[index].name for index in predictor_nodes(graph)]
    if not signed:
        excluded.append(output_layer(graph).name)
    with tempfile.TemporaryDirectory(prefix="int8-") as work:
        source, target = Path(work) / "model.onnx", Path(work) / "int8.onnx"
        onnx.save(model, str(source))
        quantize_file(source, target, excluded, signed)
        return onnx.load(str(target))


def quantize_file(source: Path, target: Path, excluded: list[str], signed: bool) -> None:
    """Write a file with eight-bit matrix products, a scale for each output channel.

    Args:
        source: in float32.
        target: is written.
        excluded: names of nodes that stay as they are.
        signed: the weights are.
    """
    logging.getLogger().setLevel(logging.ERROR)  # one warning for each model without shapes
    quantize_dynamic(
        model_input=str(source),
        model_output=str(target),
        op_types_to_quantize=["MatMul"],
        per_channel=True,
        reduce_range=False,
        weight_type=QuantType.QInt8 if signed else QuantType.QUInt8,
        nodes_to_exclude=excluded,
        # Of what ONNX Runtime's own operators give, whose types `onnx` does not know.
        extra_options={"DefaultTensorType": TensorProto.FLOAT},
    )


def quantize_per_frame(model: ModelProto) -> int:
    """Quantise matrix products with an activation scale for each row of the left matrix.

    A frame's scale is its largest magnitude over 127. The integer product is exact, and what it
    is multiplied with belongs to its frame alone.

    Returns:
        Number of quantised products.
    """
    graph = Graph(model)
    predictor = predictor_nodes(graph)
    products = [
        (node, weight)
        for index, node in enumerate(graph.nodes)
        if node.op_type == "MatMul"
        and index not in predictor
        and (weight := graph.constant_value(node.input[1])) is not None
        and weight.ndim == 2
    ]
    for node, weight in products:
        _quantize_product(graph, node, weight)
    if products:
        graph.use_domain(MICROSOFT)
    graph.finish()
    return len(products)


def _quantize_product(graph: Graph, node: NodeProto, weight: NDArray[np.float32]) -> None:
    values, output = node.input[0], node.output[0]
    width, columns = weight.shape
    frames = graph.add("Reshape", [values, graph.constant([-1, width], np.int64)])
    highest = graph.reduce("ReduceMax", frames, 1)
    lowest = graph.reduce("ReduceMin", frames, 1)
    tiny = graph.constant(np.finfo(np.float32).tiny * 127, np.float32)
    peak = graph.add("Max", [highest, graph.add("Neg", [lowest]), tiny])
    # Div, and not Mul: ONNX Runtime takes a product for the scales of both matrices in one.
    scale = graph.add("Div", [peak, graph.constant(127.0, np.float32)])
    zero_points = graph.add(
        "Expand", [graph.constant(_ZERO_POINT, np.uint8), graph.add("Shape", [scale])]
    )
    quantized = graph.add("QuantizeLinear", [frames, scale, zero_points], axis=0)
    weight_scale = np.maximum(np.abs(weight).max(axis=0), np.finfo(np.float32).tiny) / 127
    rounded = np.rint(weight / weight_scale).astype(np.int8)
    product = graph.add(
        "MatMulIntegerToFloat",
        [
            quantized,
            graph.constant(rounded, np.int8),
            graph.constant(1.0, np.float32),
            graph.constant(weight_scale, np.float32),
            graph.constant(_ZERO_POINT, np.uint8),
        ],
        domain=MICROSOFT,
    )
    scaled = graph.add("Mul", [product, graph.unsqueeze(scale, 1)])
    bounds = [graph.constant([number], np.int64) for number in (0, -1)]
    outer = graph.add("Slice", [graph.add("Shape", [values]), *bounds])
    shape = graph.add("Concat", [outer, graph.constant([columns], np.int64)], axis=0)
    # The same name as before, so that the product's readers stay as they are.
    node.CopyFrom(helper.make_node("Reshape", [scaled, shape], [output], name=node.name))
