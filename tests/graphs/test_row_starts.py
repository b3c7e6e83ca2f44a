"""What CUDA's memory-efficient attention is told is where rows are; all else stays as it was."""

from __future__ import annotations

import numpy as np
import pytest
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper
from onnxruntime import InferenceSession

from asr_server.graphs import prepare
from asr_server.graphs.feeds import Feed, make_feeds, padded_batch
from asr_server.graphs.float16 import to_float16
from asr_server.graphs.graph import MICROSOFT, Graph
from asr_server.graphs.nodes import attribute_value
from asr_server.graphs.row_starts import tell_row_starts
from asr_server.graphs.session import Outputs, Session
from asr_server.graphs.skip_norms import split_skip_norms
from tests.precision_models import load
from tests.serving import RANDOM_MODELS

KINDS = ("sensevoice", "paraformer", "contextual_paraformer", "seaco_paraformer")
LENGTHS = (31, 7, 50, 12)  # frames
HALF = TensorProto.FLOAT16


def run(model: ModelProto, feed: Feed) -> Outputs:
    return Session(model.SerializeToString(), 1, optimise=True)(dict(feed))


def as_cuda_reads_it(
    query: np.ndarray, key: np.ndarray, value: np.ndarray, mask: np.ndarray, node: NodeProto
) -> np.ndarray:
    """Attention of all rows end to end, as the kernel finds them: `Params::advance_to_block`."""
    rows, heads = len(query), attribute_value(node, "num_heads")
    counts, query_starts, key_starts = np.split(mask, [rows, 2 * rows + 1])
    parts = [x.reshape(-1, heads, x.shape[2] // heads).astype(np.float32) for x in (query, key)]
    parts.append(value.reshape(-1, heads, value.shape[2] // heads).astype(np.float32))
    output = np.full(parts[0].shape[:2] + parts[2].shape[2:], np.nan, np.float32)
    for row in range(rows):
        own = slice(query_starts[row], query_starts[row + 1])
        keys = slice(key_starts[row], key_starts[row] + counts[row])
        scores = np.einsum("qhd,khd->hqk", parts[0][own], parts[1][keys])
        scores *= attribute_value(node, "scale")
        scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
        scores /= scores.sum(axis=-1, keepdims=True)
        output[own] = np.einsum("hqk,khd->qhd", scores, parts[2][keys])
    return output.reshape(*query.shape[:2], -1)


@pytest.mark.parametrize("kind", KINDS)
def test_every_attention_of_a_float16_graph_is_told_where_rows_begin(tmp_path, kind):
    path = tmp_path / "model.onnx"
    attentions = prepare(
        RANDOM_MODELS / f"{kind}-tiny-seed0" / "model.onnx", path, device="gpu", threads=1
    ).edits["attentions"]
    model = load(path)
    split_skip_norms(Graph(model))
    rng = np.random.default_rng(1)
    rows = [rng.standard_normal((n, 560)).astype(np.float32) for n in LENGTHS]
    feeds = make_feeds(model, rows)
    report = to_float16(model, feeds, threads=1)
    assert report.row_starts == attentions > 0

    batch = dict(padded_batch(feeds))
    batch["speech_lengths"] = np.array([31, 7, 0, 12], np.int32)  # one row has no frame
    told = [node for node in model.graph.node if node.op_type == "MultiHeadAttention"]
    for name in {name for node in told for name in (*node.input[:3], node.output[0])}:
        model.graph.output.append(helper.make_tensor_value_info(name, HALF, None))
    for name in {node.input[4] for node in told}:
        model.graph.output.append(helper.make_tensor_value_info(name, TensorProto.INT32, ["m"]))
    values = run(model, batch)
    for node in told:
        query, key, value = (values[name] for name in node.input[:3])
        mask, size = values[node.input[4]], len(LENGTHS)
        counts, query_starts, key_starts = np.split(mask, [size, 2 * size + 1])
        assert counts.min() >= 1 and counts.max() <= key.shape[1]
        np.testing.assert_array_equal(query_starts, np.arange(size + 1) * query.shape[1])
        np.testing.assert_array_equal(key_starts, np.arange(size + 1) * key.shape[1])
        expected = as_cuda_reads_it(query, key, value, mask, node)
        np.testing.assert_allclose(values[node.output[0]], expected, atol=4e-3, err_msg=node.name)


def attention(
    width: int = 32, element: int = HALF, heads: int = 4, keys_apart: bool = False
) -> ModelProto:
    """x [B, n, 8], y [B, m, 8], counts [B] -> an attention of x on x, or on y."""
    dtype = helper.tensor_dtype_to_np_dtype(element)
    rng = np.random.default_rng(2)
    weights = rng.standard_normal((3, 8, width)).astype(dtype)
    biases = rng.standard_normal((3, width)).astype(dtype)
    tensors = {
        "weight": np.concatenate(list(weights), axis=1),
        "bias": biases.reshape(-1),
        "sizes": np.full(3, width),
        "query_weight": weights[0],
        "query_bias": biases[0],
    }
    nodes = [
        helper.make_node("MatMul", ["y" if keys_apart else "x", "weight"], ["product"]),
        helper.make_node("Add", ["product", "bias"], ["sum"]),
        helper.make_node("Split", ["sum", "sizes"], ["q", "k", "v"], axis=2),
        helper.make_node("MatMul", ["x", "query_weight"], ["query_product"]),
        helper.make_node("Add", ["query_bias", "query_product"], ["query"]),
        helper.make_node(
            "MultiHeadAttention",
            ["query" if keys_apart else "q", "k", "v", "", "counts"],
            ["z"],
            domain=MICROSOFT,
            num_heads=heads,
            scale=1.0,
        ),
    ]
    graph = helper.make_graph(
        nodes,
        "attention",
        [helper.make_tensor_value_info(n, element, ["b", n + "_frames", 8]) for n in ("x", "y")]
        + [helper.make_tensor_value_info("counts", TensorProto.INT32, ["b"])],
        [helper.make_tensor_value_info("z", element, ["b", "n", width])],
        [numpy_helper.from_array(array, name) for name, array in tensors.items()],
    )
    domains = [helper.make_opsetid("", 14), helper.make_opsetid(MICROSOFT, 1)]
    return helper.make_model(graph, opset_imports=domains, ir_version=8)


@pytest.mark.parametrize("keys_apart", [False, True])
def test_the_result_stays(keys_apart):
    model = attention(keys_apart=keys_apart)
    rng = np.random.default_rng(3)
    frames = {"x": 6, "y": 9}
    feed = {name: rng.standard_normal((3, n, 8)).astype(np.float16) for name, n in frames.items()}
    feed["counts"] = np.array([5, 1, 6], np.int32)

    def result() -> np.ndarray:
        return InferenceSession(model.SerializeToString()).run(["z"], feed)[0]

    expected = result()
    assert tell_row_starts(Graph(model)) == 1
    np.testing.assert_array_equal(result(), expected)


@pytest.mark.parametrize(
    "variation",
    [
        {"element": TensorProto.FLOAT},  # below 256 frames CUDA would read another mask
        {"heads": 8},  # four numbers a head: no kernel
        {"width": 48, "heads": 4},
        {"width": 2064, "heads": 2},
    ],
)
def test_what_the_kernel_would_not_take_stays(variation):
    model = attention(**variation)
    before = model.SerializeToString()
    assert tell_row_starts(Graph(model)) == 0
    assert model.SerializeToString() == before


def test_a_mask_by_pair_stays():
    model = attention()
    node = model.graph.node[-1]
    bias = numpy_helper.from_array(np.zeros((1, 4, 6, 6), np.float16), "by_pair")
    model.graph.initializer.append(bias)
    node.input.append("by_pair")
    assert tell_row_starts(Graph(model)) == 0
