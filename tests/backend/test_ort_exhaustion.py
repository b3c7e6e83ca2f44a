"""Memory that runs out under a bound fails the requests that need more, and no other.

On a GPU the bound is `gpu_mem_limit`; here ONNX Runtime's arena on the CPU has one.
"""

import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

from ort_batch import BatchPlan, Job, run_jobs
from ort_workers import Turns

BOUND = 64 << 20
GROW_AS_REQUESTED = 1


@pytest.fixture(scope="module")
def bounded():
    """y = softmax(x x^T) summed: memory grows with the square of the length, as attention's."""
    nodes = [
        helper.make_node("Transpose", ["x"], ["t"], perm=[0, 2, 1]),
        helper.make_node("MatMul", ["x", "t"], ["scores"]),
        helper.make_node("Softmax", ["scores"], ["weights"], axis=-1),
        helper.make_node("MatMul", ["weights", "x"], ["y"]),
    ]
    x, y = (helper.make_tensor_value_info(n, TensorProto.FLOAT, ["b", "t", 8]) for n in "xy")
    graph = helper.make_graph(nodes, "graph", [x], [y])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    memory = onnxruntime.OrtMemoryInfo(
        "Cpu",
        onnxruntime.OrtAllocatorType.ORT_ARENA_ALLOCATOR,
        0,
        onnxruntime.OrtMemType.DEFAULT,
    )
    arena = onnxruntime.OrtArenaCfg({"max_mem": BOUND, "arena_extend_strategy": GROW_AS_REQUESTED})
    onnxruntime.create_and_register_allocator(memory, arena)
    options = onnxruntime.SessionOptions()
    options.add_session_config_entry("session.use_env_allocators", "1")
    options.log_severity_level = 4
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def test_requests_that_fit_are_answered(bounded):
    rng = np.random.default_rng(3)

    def job(rows, frames):
        return Job({"x": rng.standard_normal((rows, frames, 8)).astype(np.float32)}, ("y",))

    def run(names, inputs):
        return bounded.run(list(names), dict(inputs))

    plan, warnings = BatchPlan(batching=True), []
    # Scores of 2,500 x 2,500 float32 are 25 MB: those of one row fit, of three they do not.
    fits = [job(1, 2500), job(1, 2500), job(1, 2500)]
    huge = job(1, 6000)
    for _ in range(3):  # and again: nothing is held by a run that failed
        *answers, failed = run_jobs([*fits, huge], run, plan, warnings.append)
        assert isinstance(failed, Exception)
        assert "memory" in str(failed)
        for each, answer in zip(fits, answers, strict=True):
            assert not isinstance(answer, Exception), answer
            np.testing.assert_array_equal(answer["y"], run(["y"], each.inputs)[0])
    assert len(warnings) == 3
    assert all("a batch of 3 requests failed, each is run alone" in text for text in warnings)


def test_runs_at_a_time_that_fit_one_by_one_are_answered(bounded):
    """Scores of 2,900 x 2,900 float32, twice, are all that the bound allows."""
    frames = np.random.default_rng(4).standard_normal((1, 2900, 8)).astype(np.float32)
    turns, failed = Turns(), []

    def run(_):
        def may_repeat(error):
            failed.append(error)
            return True

        return turns.run(lambda: bounded.run(["y"], {"x": frames})[0], may_repeat)

    answers, end = [], time.monotonic() + 60
    with ThreadPoolExecutor(4) as pool:
        while not failed and time.monotonic() < end:  # until one ran beside another
            answers += pool.map(run, range(8))
    assert failed
    for answer in answers:
        np.testing.assert_array_equal(answer, answers[0])
