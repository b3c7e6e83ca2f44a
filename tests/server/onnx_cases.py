"""Small ONNX models with configurations: what loads and what is refused, with which words."""

from dataclasses import dataclass

from onnx import ModelProto, TensorProto, helper

F, I32, I64 = TensorProto.FLOAT, TensorProto.INT32, TensorProto.INT64
TRITON_TYPES = {F: "FP32", I32: "INT32", I64: "INT64", TensorProto.STRING: "STRING"}
TRITON_TYPES |= {TensorProto.BOOL: "BOOL", TensorProto.FLOAT16: "FP16"}


# ---- graphs


def value(name, shape, dtype=F):
    return helper.make_tensor_value_info(name, dtype, shape)


def model(nodes, inputs, outputs, initializers=(), ir=8, opset=17):
    graph = helper.make_graph(nodes, "graph", inputs, outputs, initializers)
    opsets = [helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir)


def node(op, inputs, output, **attributes):
    return helper.make_node(op, inputs.split(), [output], **attributes)


def constant(name, values, dtype=I64, shape=None):
    return helper.make_tensor(name, dtype, [len(values)] if shape is None else shape, values)


def identity(shape, dtype=F, **versions):
    nodes = [node("Identity", "x", "y")]
    return model(nodes, [value("x", shape, dtype)], [value("y", shape, dtype)], **versions)


def add(shape=("b", 2)):
    inputs = [value("x", shape), value("w", shape)]
    return model([node("Add", "x w", "y")], inputs, [value("y", shape)])


def row_sums():
    """x [b, n] -> total [b], place [b] (of the largest)."""
    nodes = [
        node("ReduceSum", "x axis", "total", keepdims=0),
        node("ArgMax", "x", "place", axis=1, keepdims=0),
    ]
    outputs = [value("total", ["b"]), value("place", ["b"], I64)]
    return model(nodes, [value("x", ["b", "n"])], outputs, [constant("axis", [1])])


def lengths():
    """x [b, 2], n [b] -> y [b, 2] = x * n."""
    nodes = [
        node("Cast", "n", "f", to=F),
        node("Unsqueeze", "f axis", "column"),
        node("Mul", "x column", "y"),
    ]
    inputs = [value("x", ["b", 2]), value("n", ["b"], I32)]
    return model(nodes, inputs, [value("y", ["b", 2])], [constant("axis", [1])])


def rows_seen():
    """x [b, n] -> rows [b, n], all of them b: how many rows were run at once."""
    nodes = [
        node("Shape", "x", "shape"),
        node("Gather", "shape zero", "b", axis=0),
        node("Expand", "b shape", "rows"),
    ]
    outputs = [value("rows", ["b", "n"], I64)]
    return model(nodes, [value("x", ["b", "n"])], outputs, [constant("zero", [0], shape=[])])


def row_ends():
    """x [n], all rows' elements; s [b, 1], how many each has -> last [b] of each, run [b]: n."""
    nodes = [
        node("Squeeze", "s axis", "sizes"),
        node("CumSum", "sizes zero", "ends"),
        node("Sub", "ends one", "places"),
        node("Gather", "x places", "last", axis=0),
        node("Shape", "x", "n"),
        node("Shape", "sizes", "b"),
        node("Expand", "n b", "run"),
    ]
    inputs = [value("x", ["n"]), value("s", ["b", 1], I32)]
    constants = [constant("axis", [1]), constant("zero", [0], shape=[])]
    constants.append(constant("one", [1], I32, shape=[]))
    return model(nodes, inputs, [value("last", ["b"]), value("run", ["b"], I64)], constants)


def lookup():
    """x [b, 1] -> y [b, 1]: an entry of a table of four; another index fails the run."""
    inputs, outputs = [value("x", ["b", 1], I64)], [value("y", ["b", 1])]
    table = constant("table", [10.0, 11.0, 12.0, 13.0], F)
    return model([node("Gather", "table x", "y", axis=0)], inputs, outputs, [table])


def scaled():
    """x [b, 2], s scalar -> y [b, 2] = x * s."""
    inputs = [value("x", ["b", 2]), value("s", [])]
    return model([node("Mul", "x s", "y")], inputs, [value("y", ["b", 2])])


def with_default():
    """x [2], and w [2] which may be left out -> y [2]."""
    inputs = [value("x", [2]), value("w", [2])]
    default = constant("w", [5.0, 6.0], F)
    return model([node("Add", "x w", "y")], inputs, [value("y", [2])], [default])


def sequence_output():
    kind = helper.make_tensor_sequence_value_info("y", F, None)
    return model([node("SequenceConstruct", "x", "y")], [value("x", [2])], [kind])


# ---- configurations


def tensor(name, dims, dtype=F, extra=""):
    return f'{{ name: "{name}" data_type: TYPE_{TRITON_TYPES[dtype]} dims: {dims} {extra} }}'


def config(batch=0, inputs=(), outputs=(), extra=""):
    lines = [f"max_batch_size: {batch}"]
    lines += [f"input [ {entry} ]" for entry in inputs]
    lines += [f"output [ {entry} ]" for entry in outputs]
    return "\n".join([*lines, extra])


def parameter(key, text):
    return f'parameters {{ key: "{key}" value: {{ string_value: "{text}" }} }}'


X2, Y2 = tensor("x", [2]), tensor("y", [2])
EMPTY_RESHAPE = "reshape: { shape: [ ] }"
QUEUE = "dynamic_batching { preferred_batch_size: [ 8 ] max_queue_delay_microseconds: 400000 }"
# Requests that come at once share a run, however long it takes until all have come.
QUEUES = {
    size: f"dynamic_batching {{ preferred_batch_size: [ {size} ] "
    "max_queue_delay_microseconds: 50000000 }"
    for size in (4, 8)
}
START = """sequence_batching {
  max_sequence_idle_microseconds: 5000000
  control_input [ { name: "START" control [
    { kind: CONTROL_SEQUENCE_START int32_false_true: [ 0, 1 ] } ] } ]
}"""
STATE = """sequence_batching { state [ { input_name: "w" output_name: "y"
  data_type: TYPE_FP32 dims: [ 2 ] initial_state: { name: "zero" data_type: TYPE_FP32
  dims: [ 2 ] zero_data: true } } ] }"""


RAGGED = tensor("x", [-1], extra="allow_ragged_batch: true")
ENDS = [tensor("last", [1], F, EMPTY_RESHAPE), tensor("run", [1], I64, EMPTY_RESHAPE)]


def batch_input(kind="BATCH_ITEM_SHAPE", target="s", dtype="INT32"):
    return (
        f'batch_input [ {{ kind: {kind} target_name: [ "{target}" ] data_type: TYPE_{dtype} '
        'source_input: [ "x" ] } ]\n'
    )


@dataclass(frozen=True)
class Case:
    """A model that loads, or is refused with these words."""

    graph: ModelProto | bytes | None
    config: str
    refused: str = ""
    filename: str = "model.onnx"


def started():
    """x [b, 2], START [b, 1] -> y [b, 2]: x where a sequence starts, else 0."""
    nodes = [node("Cast", "START", "f", to=F), node("Mul", "x f", "y")]
    inputs = [value("x", ["b", 2]), value("START", ["b", 1], I32)]
    return model(nodes, inputs, [value("y", ["b", 2])])


B2, B_ANY = identity(["b", 2]), identity(["b", "n"])
N8 = config(8, [X2], [Y2])
CASES = {
    # inputs
    "input_missing": Case(add(), config(8, [X2], [Y2]), "model's 2 inputs ['x', 'w'], got 1 ['x']"),
    "input_extra": Case(B2, config(8, [X2, tensor("w", [2])], [Y2]), "got 2 ['x', 'w']"),
    "input_name": Case(B2, config(8, [tensor("z", [2])], [Y2]), "input 'z': expected one of ['x']"),
    "input_type": Case(B2, config(8, [tensor("x", [2], I32)], [Y2]), "TYPE_FP32, got TYPE_INT32"),
    "input_narrower": Case(B_ANY, config(8, [X2], [tensor("y", [-1])])),
    "input_wider": Case(B2, config(8, [tensor("x", [-1])], [Y2]), "shape [-1, 2], got [-1, -1]"),
    "input_rank": Case(B2, config(8, [tensor("x", [2, 2])], [Y2]), "got [-1, 2, 2]"),
    "input_optional": Case(
        add(), config(8, [X2, tensor("w", [2], extra="optional: true")], [Y2]), "got 1"
    ),
    "input_ragged": Case(
        B_ANY, config(8, [tensor("x", [-1], extra="allow_ragged_batch: true")]), "ragged"
    ),
    "ragged": Case(row_ends(), config(8, [RAGGED], ENDS, QUEUES[8] + batch_input())),
    "ragged_without_shapes": Case(row_ends(), config(8, [RAGGED], ENDS), "got 1 ['x']"),
    "ragged_other_kind": Case(
        row_ends(),
        config(8, [RAGGED], ENDS, batch_input("BATCH_ELEMENT_COUNT")),
        "expected kind BATCH_ITEM_SHAPE, got BATCH_ELEMENT_COUNT",
    ),
    "ragged_other_name": Case(
        row_ends(), config(8, [RAGGED], ENDS, batch_input(target="z")), "batch_input 'z': expected"
    ),
    "ragged_other_type": Case(
        row_ends(), config(8, [RAGGED], ENDS, batch_input(dtype="FP32")), "INT32, got TYPE_FP32"
    ),
    # outputs
    "output_name": Case(B2, config(8, [X2], [tensor("z", [2])]), "output 'z': expected one of"),
    "output_type": Case(B2, config(8, [X2], [tensor("y", [2], I64)]), "TYPE_FP32, got TYPE_INT64"),
    "output_narrower": Case(B_ANY, config(8, [tensor("x", [-1])], [Y2]), "output 'y': expected sh"),
    "output_wider": Case(B2, config(8, [X2], [tensor("y", [-1])]), "[-1, 2], got [-1, -1]"),
    "output_left_out": Case(row_sums(), config(8, [tensor("x", [-1])])),
    "output_some": Case(
        row_sums(), config(8, [tensor("x", [-1])], [tensor("total", [1], extra=EMPTY_RESHAPE)])
    ),
    "output_sequence": Case(sequence_output(), config(0, [X2], [Y2]), "expected a tensor, got seq"),
    # batching
    "batch_fixed": Case(identity([1, 2]), N8, "expected a dynamic first dimension with max_batch"),
    "batch_not_declared": Case(B2, config(0, [X2], [Y2]), "shape [-1, 2], got [2]"),
    "batch_none": Case(B2, config(0, [tensor("x", [-1, 2])], [tensor("y", [-1, 2])])),
    "reshape_missing": Case(
        lengths(), config(8, [X2, tensor("n", [1], I32)], [Y2]), "got [-1, 1]; the batch dimension"
    ),
    "reshape_empty": Case(
        lengths(), config(8, [X2, tensor("n", [1], I32, EMPTY_RESHAPE)], [Y2], QUEUE)
    ),
    "reshape_square": Case(
        identity(["b", 2, 2]),
        config(
            8,
            [tensor("x", [4], extra="reshape: { shape: [ 2, 2 ] }")],
            [tensor("y", [4], extra="reshape: { shape: [ 2, 2 ] }")],
        ),
    ),
    "scalar": Case(scaled(), config(8, [X2, tensor("s", [1])], [Y2], QUEUE)),
    "scalar_dims": Case(scaled(), config(8, [X2, tensor("s", [2])], [Y2]), "of 1 for a scalar"),
    # completion
    "complete_all": Case(row_sums(), ""),
    "complete_scalar": Case(scaled(), config(8), "got 's' []"),
    "complete_fixed": Case(identity([1, 2]), config(8), "got 'x' [1, 2], 'y' [1, 2]"),
    "complete_unbatched": Case(identity([3, 2]), ""),
    "complete_controls": Case(started(), config(8, extra=START), "got 3 ['x', 'START', 'START']"),
    # parameters
    "threads_word": Case(
        B2, N8 + parameter("intra_op_thread_count", "two"), "whole number, got 'two'"
    ),
    "mode_two": Case(
        B2,
        N8 + parameter("execution_mode", "2"),
        'expected one of "0" (sequential), "1" (parallel), got',
    ),
    "arena_maybe": Case(B2, N8 + parameter("enable_mem_arena", "maybe"), "got 'maybe'"),
    "parameters_good": Case(
        B2,
        N8
        + parameter("intra_op_thread_count", "1")
        + parameter("execution_mode", "1")
        + parameter("enable_mem_pattern", "0")
        + parameter("memory.enable_memory_arena_shrinkage", "cpu:0")
        + parameter("session.intra_op.allow_spinning", "0")
        + parameter("cudnn_conv_algo_search", "2")
        + parameter("of_someone_else", "1")
        + "optimization { graph { level: 2 } }",
    ),
    "accelerator": Case(
        B2,
        N8 + "optimization { execution_accelerators { cpu_execution_accelerator: "
        '[ { name: "abacus" } ] } }',
        "got 'abacus'",
    ),
    # sequences
    "sequence": Case(started(), config(8, [X2], [Y2], START)),
    "sequence_state": Case(add(), config(8, [X2], [Y2], STATE), "implicit state"),
    # files
    "file_missing": Case(None, N8, "1/model.onnx, got ['other.txt']"),
    "file_truncated": Case(B2.SerializeToString()[:-20], N8, "the file is truncated at"),
    "file_empty": Case(b"", N8, "got an empty file"),
    "file_broken": Case(b"\x08\x08", N8, "does not load it"),
    "file_ir": Case(identity(["b", 2], ir=11), N8, "at most IR version 10"),
    "file_opset": Case(identity(["b", 2], opset=22), N8, "opset 22"),
    "file_newer": Case(identity(["b", 2], ir=11), N8 + parameter("allow_newer_onnx", "1")),
    "file_name": Case(B2, N8 + 'default_model_filename: "enc.onnx"', filename="enc.onnx"),
    "file_operator": Case(
        model([node("Nonsense", "x", "y")], [value("x", ["b", 2])], [value("y", ["b", 2])]),
        N8,
        "Nonsense",
    ),
    # for inference
    "rows_seen": Case(
        rows_seen(), config(8, [tensor("x", [-1])], [tensor("rows", [-1], I64)], QUEUES[8])
    ),
    "lookup": Case(lookup(), config(8, [tensor("x", [1], I64)], [tensor("y", [1])], QUEUES[4])),
    "text": Case(
        identity(["b", "n"], TensorProto.STRING),
        config(8, [tensor("x", [-1], TensorProto.STRING)], [tensor("y", [-1], TensorProto.STRING)]),
    ),
    "half": Case(identity(["b", "n"], TensorProto.FLOAT16), ""),
    "flags": Case(identity(["b", "n"], TensorProto.BOOL), ""),
    "optional": Case(
        with_default(), config(0, [X2, tensor("w", [2], extra="optional: true")], [Y2])
    ),
}
