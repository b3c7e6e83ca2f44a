"""Requests joined into few runs answer as if each had been run alone."""

import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

from ort_batch import BatchPlan, Job, run_jobs
from ort_memory import JoinedArrays
from ort_ragged import ItemShape, Ragged

BATCHING = BatchPlan(batching=True)


class Graph:
    """y = x + x.sum(axis=1), z = x.max(axis=1); NaN anywhere fails the run. Counts its runs."""

    def __init__(self):
        self.batches = []
        self.wanted = []

    def __call__(self, outputs, inputs):
        x = inputs["x"]
        self.batches.append(len(x))
        self.wanted.append(tuple(outputs))
        if np.isnan(x).any():
            raise RuntimeError("NaN")
        values = {"y": x + x.sum(axis=1, keepdims=True), "z": x.max(axis=1)}
        return [values[name] for name in outputs]


def run(jobs, graph, plan=BATCHING):
    warnings = []
    return run_jobs(jobs, graph, plan, warnings.append), warnings


def job(rows, width, seed=0, outputs=("y", "z")):
    x = np.random.default_rng(seed).standard_normal((rows, width)).astype(np.float32)
    return Job({"x": x}, outputs)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=8))
def test_any_batch_answers_as_each_alone(shapes):
    jobs = [job(rows, width, seed) for seed, (rows, width) in enumerate(shapes)]
    graph = Graph()
    results, warnings = run(jobs, graph)
    assert len(graph.batches) == len({width for _, width in shapes})
    assert not warnings
    for each, result in zip(jobs, results, strict=True):
        (alone,), _ = run([each], Graph())
        for name in ("y", "z"):
            np.testing.assert_array_equal(result[name], alone[name])
            assert result[name].flags.c_contiguous


def test_one_request_is_not_copied():
    seen = []
    single = job(2, 3)
    run([single], lambda outputs, inputs: [seen.append(inputs["x"]), inputs["x"]][1:] * 2)
    assert seen[0] is single.inputs["x"]


def test_only_the_bad_request_fails():
    jobs = [job(1, 3, seed) for seed in range(4)]
    jobs[2].inputs["x"][0, 1] = np.nan
    graph = Graph()
    results, warnings = run(jobs, graph)
    assert [isinstance(result, Exception) for result in results] == [False, False, True, False]
    assert graph.batches == [4, 1, 1, 1, 1]
    assert "batch of 4" in warnings[0] and "NaN" in warnings[0]


def test_outputs_nobody_wants_are_not_computed():
    graph = Graph()
    results, _ = run([job(1, 2, outputs=("y",)), job(1, 2, outputs=("y",))], graph)
    assert graph.wanted == [("y",)]
    results, _ = run([job(1, 2, outputs=("y",)), job(1, 2, outputs=("z",))], graph)
    assert [list(result) for result in results] == [["y"], ["z"]]


def test_without_batching_nothing_is_joined():
    graph = Graph()
    run([job(2, 3), job(2, 3)], graph, BatchPlan(batching=False))
    assert graph.batches == [2, 2]


def test_an_output_without_a_row_for_each_row_is_not_split():
    def flat(outputs, inputs):
        return [inputs["x"].reshape(-1)]

    results, warnings = run([job(1, 3, outputs=("y",)), job(2, 3, outputs=("y",))], flat)
    assert [result["y"].shape for result in results] == [(3,), (6,)]
    assert "expected 3 rows" in warnings[0]


def test_types_are_not_mixed():
    dtypes = []

    def record(outputs, inputs):
        dtypes.append(inputs["x"].dtype)
        return [inputs["x"]]

    jobs = [Job({"x": np.zeros((1, 2), dtype)}, ("y",)) for dtype in (np.float32, np.int64)]
    run(jobs, record)
    assert dtypes == [np.float32, np.int64]


def test_text_goes_in_as_str_and_must_be_utf8():
    seen = []

    def echo(outputs, inputs):
        seen.extend(inputs["x"].reshape(-1))
        return [inputs["x"]]

    jobs = [Job({"x": np.array([[text]], np.object_)}, ("y",)) for text in ("é".encode(), b"\xff")]
    results, _ = run(jobs, echo)
    assert seen == ["é"]
    assert results[0]["y"].shape == (1, 1)
    assert "expected UTF-8" in str(results[1]) and "\\xff" in str(results[1])


@pytest.mark.parametrize("batching", [True, False])
def test_scalar_outputs_take_the_declared_shape(batching):
    plan = BatchPlan(batching, scalar_outputs={"n": (1,)})
    jobs = [Job({"x": np.zeros((2, 3))}, ("n",)) for _ in range(2)]
    results, _ = run(jobs, lambda outputs, inputs: [np.array(inputs["x"].size)], plan)
    expected = [[6], [6]] if batching else [6]
    assert [result["n"].tolist() for result in results] == [expected, expected]


def test_requests_with_different_scalars_are_not_joined():
    scales = []

    def scale(outputs, inputs):
        scales.append(inputs["s"].item())
        assert inputs["s"].shape == ()
        return [inputs["x"] * inputs["s"]]

    plan = BatchPlan(True, scalar_inputs=frozenset({"s"}))

    def scaled(rows, *values):
        return Job({"x": np.ones((rows, 2)), "s": np.array([[v] for v in values])}, ("y",))

    jobs = [scaled(1, 2.0), scaled(1, 3.0), scaled(2, 2.0, 2.0), scaled(2, 2.0, 5.0)]
    results, _ = run(jobs, scale, plan)
    assert scales == [2.0, 3.0]
    assert [result["y"][0, 0] for result in results[:3]] == [2, 3, 2]
    assert "input 's': expected one value" in str(results[3])


RAGGED = Ragged(frozenset({"x"}), (ItemShape("s", "x", "TYPE_INT32"),))


class RowSums:
    """y = sum of each row's elements, of x [n] end to end and s [rows, axes]; -1 fails the run."""

    def __init__(self):
        self.batches = []

    def __call__(self, outputs, inputs):
        assert inputs["x"].ndim == 1
        assert inputs["s"].dtype == np.int32
        self.batches.append(len(inputs["s"]))
        if (inputs["x"] == -1).any():
            raise RuntimeError("minus one")
        ends = np.cumsum(inputs["s"].prod(axis=1))
        assert ends[-1] == inputs["x"].size
        return [np.array([part.sum() for part in np.split(inputs["x"], ends[:-1])])]


def ragged_job(rows, *shape):
    x = np.random.default_rng(rows + sum(shape)).random((rows, *shape)).astype(np.float32)
    return Job({"x": x}, ("y",))


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=8))
def test_ragged_requests_of_any_shape_are_one_run(shapes):
    jobs = [ragged_job(rows, width, 2) for rows, width in shapes]
    plan = BatchPlan(batching=True, ragged=RAGGED)
    assert plan.split(jobs) == [list(range(len(jobs)))]
    graph = RowSums()
    results, warnings = run(jobs, graph, plan)
    assert graph.batches == [sum(rows for rows, _ in shapes)]
    assert not warnings
    for each, result in zip(jobs, results, strict=True):
        np.testing.assert_allclose(result["y"], each.inputs["x"].sum(axis=(1, 2)), rtol=1e-6)


@given(st.lists(st.tuples(st.integers(1, 3), st.integers(1, 4)), min_size=1, max_size=8))
def test_where_lengths_are_not_joined_equal_ones_are(shapes):
    jobs = [ragged_job(rows, width, 2) for rows, width in shapes]
    plan = BatchPlan(batching=True, ragged=RAGGED, joins_lengths=False)
    groups = plan.split(jobs)
    assert sorted(index for group in groups for index in group) == list(range(len(jobs)))
    assert [{shapes[index][1] for index in group} for group in groups] == [
        {width} for width in dict.fromkeys(width for _, width in shapes)
    ]
    for group in groups:
        graph = RowSums()
        run([jobs[index] for index in group], graph, plan)
        assert graph.batches == [sum(shapes[index][0] for index in group)]


def test_a_bad_ragged_request_fails_alone():
    jobs = [ragged_job(1, width) for width in (2, 5, 3)]
    jobs[1].inputs["x"][0, 0] = -1
    results, _ = run(jobs, RowSums(), BatchPlan(batching=True, ragged=RAGGED))
    assert [isinstance(result, Exception) for result in results] == [False, True, False]


@given(
    st.lists(st.lists(st.integers(1, 3), min_size=2, max_size=5), min_size=1, max_size=4),
    st.sampled_from([np.float32, np.int32, object]),
)
def test_batches_that_share_kept_memory_answer_as_each_alone(batches, dtype):
    plan = BatchPlan(batching=True, concatenate=JoinedArrays().concatenate)

    def doubled(names, inputs):
        return [inputs[name] + inputs[name] for name in names]

    for width, batch in enumerate(batches, 1):
        jobs = [
            Job({"x": np.full((rows, width), value, dtype), "y": np.ones((rows, 2))}, ("x", "y"))
            for value, rows in zip("1234567", batch, strict=False)
        ]
        for each, result in zip(jobs, run(jobs, doubled, plan)[0], strict=True):
            for name in ("x", "y"):
                np.testing.assert_array_equal(result[name], 2 * each.inputs[name])


def test_each_thread_joins_in_memory_of_its_own():
    joined, row = JoinedArrays(), np.zeros((2, 3), np.float32)
    first = joined.concatenate("x", [row, row])
    assert np.shares_memory(first, joined.concatenate("x", [row + 1, row]))
    assert not np.shares_memory(first, joined.concatenate("y", [row]))
    with ThreadPoolExecutor(1) as other:
        beside = other.submit(joined.concatenate, "x", [row, row]).result()
    assert not np.shares_memory(first, beside)
