"""The Python-based onnxruntime backend in a real tritonserver.

What loads and what is refused was found by loading such models into the C++ backend of release
24.10; the words of the messages are ours.
"""

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
import pytest
import tritonclient.grpc as triton
from onnx import ModelProto, TensorProto, helper
from tritonclient.utils import InferenceServerException

from scripts.triton_server import ServerFlags, TritonServer
from tests.serving import READY_TIMEOUT_S

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


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    repository = tmp_path_factory.mktemp("repository")
    for name, case in CASES.items():
        version = repository / name / "1"
        version.mkdir(parents=True)
        text = 'backend: "onnxruntime"\ninstance_group [ { count: 1 kind: KIND_AUTO } ]\n'
        (version.parent / "config.pbtxt").write_text(text + case.config)
        (version / "other.txt").touch()
        if case.graph is not None:
            content = case.graph
            content = content if isinstance(content, bytes) else content.SerializeToString()
            (version / case.filename).write_bytes(content)
    running = TritonServer(
        [repository],
        log=tmp_path_factory.mktemp("log") / "server.log",
        flags=ServerFlags(exit_on_error=False, model_control_mode="explicit", load_models=["*"]),
    )
    with running:
        running.wait_ready(READY_TIMEOUT_S)
        yield running


@pytest.fixture(scope="module")
def client(server):
    with triton.InferenceServerClient(server.grpc_url) as each:
        yield each


@pytest.fixture(scope="module")
def index(client):
    models = client.get_model_repository_index().models
    return {entry.name: (entry.state, entry.reason) for entry in models}


def infer(client, name, outputs=None, **arrays):
    kinds = {"float32": "FP32", "float16": "FP16", "int32": "INT32", "int64": "INT64"}
    kinds |= {"bool": "BOOL", "object": "BYTES"}
    inputs = []
    for key, array in arrays.items():
        inputs.append(triton.InferInput(key, array.shape, kinds[array.dtype.name]))
        inputs[-1].set_data_from_numpy(array)
    wanted = [triton.InferRequestedOutput(output) for output in outputs] if outputs else None
    return client.infer(name, inputs, outputs=wanted, client_timeout=60)


def at_once(function, arguments):
    """The results, or exceptions, of calls made at the same time."""

    def call(argument):
        try:
            return function(argument)
        except InferenceServerException as error:
            return error

    with ThreadPoolExecutor(len(arguments)) as pool:
        return list(pool.map(call, arguments))


def counts(client, name):
    (stats,) = client.get_inference_statistics(name).model_stats
    return np.array([stats.inference_count, stats.execution_count])


def wait_until(condition):
    """Returns when it is so; fails if it does not come true."""
    deadline = time.monotonic() + 120
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.05)


# ---- loading


@pytest.mark.parametrize("name", CASES)
def test_loads_what_the_cpp_backend_loads(index, name):
    state, reason = index[name]
    words = CASES[name].refused
    if words:
        assert state == "UNAVAILABLE"
        assert f"onnxruntime: model '{name}', " in reason
        assert words in reason
    else:
        assert (state, reason) == ("READY", "")


def test_completion(client):
    completed = client.get_model_config("complete_all", as_json=True)["config"]
    assert completed["max_batch_size"] == 4
    assert "dynamic_batching" in completed
    assert [entry["name"] for entry in completed["input"]] == ["x"]
    assert completed["input"][0]["dims"] == ["-1"]
    outputs = {entry["name"]: entry for entry in completed["output"]}
    assert list(outputs) == ["total", "place"]
    assert outputs["place"]["data_type"] == "TYPE_INT64"
    assert outputs["total"]["dims"] == ["1"]
    assert outputs["total"]["reshape"] == {}
    unbatched = client.get_model_config("complete_unbatched").config
    assert unbatched.max_batch_size == 0
    assert list(unbatched.input[0].dims) == [3, 2]


def test_unload_and_load_again(client):
    client.unload_model("complete_all")
    client.load_model("complete_all")
    x = np.array([[1, 3, 2]], np.float32)
    assert infer(client, "complete_all", x=x).as_numpy("place").tolist() == [[1]]


# ---- inference


def test_concurrent_requests_are_one_run(client):
    before = counts(client, "rows_seen")
    x = np.zeros((1, 3), np.float32)
    results = at_once(lambda _: infer(client, "rows_seen", x=x), range(8))
    # Triton counts a batch once `execute` has returned, which may be after the answers.
    wait_until(lambda: (counts(client, "rows_seen") - before)[0] >= 8)
    inferences, executions = counts(client, "rows_seen") - before
    assert inferences == 8
    assert executions == 1
    seen = [result.as_numpy("rows") for result in results]
    assert all(rows.shape == (1, 3) for rows in seen)
    # each run of k rows is seen by its k requests
    assert sum(1 / rows[0, 0] for rows in seen) == pytest.approx(executions)


def test_several_rows_stay_together(client):
    def call(rows):
        x = np.full((rows, 2), rows, np.float32)
        n = np.full((rows, 1), rows, np.int32)
        return infer(client, "reshape_empty", x=x, n=n).as_numpy("y")

    for rows, y in zip((1, 3, 2), at_once(call, (1, 3, 2)), strict=True):
        np.testing.assert_array_equal(y, np.full((rows, 2), rows * rows))


def test_only_the_bad_request_of_a_batch_fails(client, server):
    indices = [0, 1, 99, 3]
    results = at_once(lambda i: infer(client, "lookup", x=np.array([[i]])), indices)
    for number, result in zip(indices, results, strict=True):
        if number == 99:
            assert isinstance(result, InferenceServerException)
            assert "onnxruntime: model 'lookup': " in result.message()
            assert "out of data bounds" in result.message()
        else:
            assert result.as_numpy("y") == [[10 + number]]
    # A stub hands its messages to the server's log beside the answers.
    wait_until(lambda: "each is run alone" in server.log_text())


def test_reshape_of_inputs_and_outputs(client):
    x = np.arange(8, dtype=np.float32).reshape(2, 4)
    np.testing.assert_array_equal(infer(client, "reshape_square", x=x).as_numpy("y"), x)
    total = infer(client, "output_some", x=x).as_numpy("total")
    np.testing.assert_array_equal(total, [[6], [22]])


def test_wanted_outputs(client):
    x = np.eye(3, dtype=np.float32)[1:]
    result = infer(client, "output_left_out", ["place"], x=x)
    assert result.as_numpy("total") is None
    assert result.as_numpy("place").tolist() == [[1], [2]]
    assert infer(client, "output_left_out", x=x).as_numpy("total").tolist() == [[1], [1]]


def test_text(client):
    x = np.array([["人", "a"], ["", "é"]], np.object_)
    y = infer(client, "text", x=x).as_numpy("y")
    assert [[each.decode() for each in row] for row in y] == x.tolist()
    with pytest.raises(InferenceServerException, match="input 'x': expected UTF-8"):
        infer(client, "text", x=np.array([[b"\xff"]], np.object_))


@pytest.mark.parametrize(("name", "dtype"), [("half", np.float16), ("flags", np.bool_)])
@pytest.mark.parametrize("width", [0, 1, 5])
def test_other_types_and_nothing(client, name, dtype, width):
    x = (np.arange(2 * width).reshape(2, width) % 2).astype(dtype)
    y = infer(client, name, x=x).as_numpy("y")
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, x)


def test_a_scalar_applies_to_its_own_request(client):
    x = np.ones((1, 2), np.float32)
    results = at_once(
        lambda s: infer(client, "scalar", x=x, s=np.array([[s]], np.float32)), range(6)
    )
    assert [result.as_numpy("y")[0, 0] for result in results] == [0, 1, 2, 3, 4, 5]


def test_an_optional_input_may_be_left_out(client):
    x = np.array([1, 2], np.float32)
    assert infer(client, "optional", x=x).as_numpy("y").tolist() == [6, 8]
    assert infer(client, "optional", x=x, w=x).as_numpy("y").tolist() == [2, 4]


def test_sequence_controls_reach_the_graph(client):
    tensors = [triton.InferInput("x", [1, 2], "FP32")]
    tensors[0].set_data_from_numpy(np.ones((1, 2), np.float32))
    seen = []
    for start, end in ((True, False), (False, False), (False, True)):
        result = client.infer(
            "sequence", tensors, sequence_id=7, sequence_start=start, sequence_end=end
        )
        seen.append(result.as_numpy("y")[0, 0])
    assert seen == [1, 0, 0]
