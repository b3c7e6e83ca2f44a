"""The Python-based onnxruntime backend in a real tritonserver.

What loads and what is refused was found by loading such models into the C++ backend of release
24.10; the words of the messages are ours.
"""

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.utils import InferenceServerException

from asr_server.run import ServerFlags, TritonServer
from tests.server.onnx_cases import CASES
from tests.serving import running


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
    server = TritonServer(
        [repository],
        log=tmp_path_factory.mktemp("log") / "server.log",
        flags=ServerFlags(exit_on_error=False, model_control_mode="explicit", load_models=["*"]),
    )
    with running(server):
        yield server


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


def test_ragged_requests_get_their_own_rows_and_share_a_run_where_they_are_alike(client):
    """On a CPU nothing is gained by joining lengths, so rows of two lengths are two runs."""
    rng = np.random.default_rng(0)
    rows = [rng.standard_normal((1, 3 + 2 * (i % 2))).astype(np.float32) for i in range(6)]
    rows.append(rng.standard_normal((2, 3)).astype(np.float32))  # a request of two rows
    answers = at_once(lambda x: infer(client, "ragged", x=x), rows)
    for x, answer in zip(rows, answers, strict=True):
        np.testing.assert_array_equal(answer.as_numpy("last"), x[:, -1:])
        alike = sum(one.size for one in rows if one.shape[1] == x.shape[1])
        assert set(answer.as_numpy("run").ravel()) == {alike}


def test_what_runs_where_is_logged(server):
    """Triton's own word for the kind stands there: `CPU`, not `KIND_CPU`."""
    line = next(line for line in server.log_text().splitlines() if "model 'input_narrower'" in line)
    assert "instance of kind CPU: CPUExecutionProvider, precision not recorded, /" in line
    assert "input_narrower/1/model.onnx" in line


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
