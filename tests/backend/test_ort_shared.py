"""A session for runs alone and one for runs beside others: equal answers, shared weights."""

import sys
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper, numpy_helper

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

import ort_shared
from ort_session import open_instance
from ort_settings import Settings, session_options
from ort_signature import read_signature

CORES = 4  # as far as the sessions are told
MAPPED = "packed.weights (deleted)"  # in the list of the process's maps


def write_model(path, width):
    """y = relu(x w1 b) w2, x [b, t, 64]; each weight has 256 x `width` bytes."""
    rng = np.random.default_rng(0)
    weights = {
        "w1": rng.standard_normal((64, width)).astype(np.float32),
        "b": rng.standard_normal(width).astype(np.float32),
        "w2": rng.standard_normal((width, 64)).astype(np.float32),
    }
    nodes = [
        helper.make_node("MatMul", ["x", "w1"], ["h"]),
        helper.make_node("Add", ["h", "b"], ["i"]),
        helper.make_node("Relu", ["i"], ["j"]),
        helper.make_node("MatMul", ["j", "w2"], ["y"]),
    ]
    graph = helper.make_graph(
        nodes,
        "graph",
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["b", "t", 64])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["b", "t", "d"])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    opset = [helper.make_opsetid("", 17)]
    onnx.save(helper.make_model(graph, opset_imports=opset, ir_version=8), str(path))


def opener(path):
    def open_session(options):
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])

    return open_session


def mapped_files():
    return [line for line in Path("/proc/self/maps").read_text().splitlines() if MAPPED in line]


@pytest.mark.parametrize(("width", "is_mapped"), [(8192, True), (100, False)])
def test_both_sessions_answer_like_one_and_map_large_weights(tmp_path, width, is_mapped):
    write_model(tmp_path / "model.onnx", width)
    open_session, warnings = opener(tmp_path / "model.onnx"), []
    plain = open_session(session_options(Settings()))
    settings = Settings(), Settings(intra_op_threads=1)
    sessions = ort_shared.open_shared(
        tmp_path / "model.onnx", open_session, *settings, warnings.append
    )
    assert warnings == []
    assert sessions.signature == read_signature(plain)
    assert sessions.alone is not sessions.beside_others
    assert (
        sessions.alone.get_session_options().intra_op_num_threads
        == plain.get_session_options().intra_op_num_threads
    )
    assert sessions.beside_others.get_session_options().intra_op_num_threads == 1
    assert bool(mapped_files()) == is_mapped
    rng = np.random.default_rng(1)
    for rows, frames in ((1, 1), (1, 33), (5, 20)):
        x = {"x": rng.standard_normal((rows, frames, 64)).astype(np.float32)}
        (expected,) = plain.run(None, x)
        for session in (sessions.alone, sessions.beside_others):
            np.testing.assert_array_equal(session.run(None, x)[0], expected)
    del sessions, session
    assert not mapped_files()


def test_weights_that_cannot_be_shared_leave_one_session(tmp_path, monkeypatch):
    write_model(tmp_path / "model.onnx", 100)
    open_session, warnings = opener(tmp_path / "model.onnx"), []

    def refuse(graph):
        raise ValueError("no multiple of 64")

    monkeypatch.setattr(ort_shared, "_check_alignment", refuse)
    sessions = ort_shared.open_shared(
        tmp_path / "model.onnx", open_session, Settings(), Settings(), warnings.append
    )
    assert sessions.alone is sessions.beside_others
    assert len(warnings) == 1
    assert "not shared" in warnings[0]
    assert "no multiple of 64" in warnings[0]


def test_a_model_that_cannot_be_opened_is_not_opened():
    def refuse(options):
        raise ValueError("bad model")

    with pytest.raises(ValueError, match="bad model"):
        ort_shared.open_shared(Path("m.onnx"), refuse, Settings(), Settings(), pytest.fail)


@pytest.mark.parametrize(
    ("settings", "runs", "threads"),
    [
        (Settings(), 1, [0]),
        (Settings(), CORES, [0, 1]),
        (Settings(spread_lone_runs=False), CORES, [1]),
        (Settings(spread_lone_runs=False), 1, [0]),
        (Settings(intra_op_threads=3), CORES, [3]),
    ],
)
def test_an_instance_has_the_sessions_that_its_settings_ask_for(
    tmp_path, monkeypatch, settings, runs, threads
):
    monkeypatch.setattr("os.sched_getaffinity", lambda _: set(range(CORES)))
    monkeypatch.setattr("os.cpu_count", lambda: CORES)
    write_model(tmp_path / "model.onnx", 8192)
    sessions = open_instance(str(tmp_path), {}, settings, "CPU", 0, runs, pytest.fail)
    assert [
        session.get_session_options().intra_op_num_threads
        for session in dict.fromkeys([sessions.alone, sessions.beside_others])
    ] == threads
    assert bool(mapped_files()) == (len(threads) == 2)


@pytest.mark.parametrize(
    ("key", "value", "is_aligned"),
    [
        ("offset", "128", True),
        ("offset", "60", False),
        ("prepacked_0", "MatMul+1|6586368;3440640;0", True),
        ("prepacked_0", "MatMul+1|6586300;3440640;0", False),
        ("location", "packed.weights", True),
    ],
)
@pytest.mark.parametrize("inside", [False, True])
def test_alignment_is_checked_in_subgraphs_too(key, value, is_aligned, inside):
    tensor = TensorProto(name="w", data_location=TensorProto.EXTERNAL)
    tensor.external_data.add(key=key, value=value)
    graph = helper.make_graph([], "graph", [], [], [tensor])
    if inside:
        loop = helper.make_node("Loop", ["n", ""], ["y"], body=graph)
        graph = helper.make_graph([loop], "outer", [], [])
    if is_aligned:
        ort_shared._check_alignment(graph)
    else:
        with pytest.raises(ValueError, match="w to an offset that is no multiple of 64"):
            ort_shared._check_alignment(graph)
