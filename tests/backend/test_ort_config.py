"""A model's configuration: parameters, the graph's signature, what is missing."""

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import onnxruntime
import pytest

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

from ort_complete import complete_config, needs_completion
from ort_settings import Settings, read_settings, run_options, session_options
from ort_signature import check_config, read_signature

MODEL = Path(__file__).parents[2] / "embedded_models" / "vad" / "model.onnx"


@dataclass
class Arg:
    """Stands in for onnxruntime.NodeArg."""

    name: str
    shape: list
    type: str = "tensor(float)"


@dataclass
class Graph:
    """Stands in for onnxruntime.InferenceSession."""

    inputs: list
    outputs: list
    initializers: tuple = ()

    def get_inputs(self):
        return self.inputs

    def get_outputs(self):
        return self.outputs

    def get_overridable_initializers(self):
        return self.initializers


def tensor(name, *dims, data_type="TYPE_FP32", **more):
    return {"name": name, "data_type": data_type, "dims": list(dims), **more}


def parameters(**values):
    return {"parameters": {key: {"string_value": value} for key, value in values.items()}}


ENCODER = read_signature(
    Graph(
        [Arg("speech", ["b", None, 560]), Arg("lengths", ["b"], "tensor(int32)")],
        [Arg("ids", ["b", "t"], "tensor(int64)"), Arg("score", ["b"])],
    )
)
SPEECH = tensor("speech", -1, 560)
RAGGED = {**SPEECH, "allow_ragged_batch": True}
ITEM_SHAPE = {
    "kind": "BATCH_ITEM_SHAPE",
    "target_name": ["shapes"],
    "data_type": "TYPE_INT32",
    "source_input": ["speech"],
}
LENGTHS = tensor("lengths", 1, data_type="TYPE_INT32", reshape={"shape": []})


# ---- parameters


def test_absent_parameters_leave_the_defaults():
    assert read_settings({}) == read_settings({"parameters": {}}) == Settings()
    assert read_settings(parameters(unknown="whatever")) == Settings()


def test_threads_stay_on_the_cores_that_the_process_may_use():
    """Threads that ONNX Runtime counts itself go to the machine's other cores as well."""
    cores, before = os.sched_getaffinity(0), set(os.listdir("/proc/self/task"))
    mine = {min(cores)}
    os.sched_setaffinity(0, mine)  # of this thread, and of those that it starts
    try:
        session = onnxruntime.InferenceSession(MODEL, session_options(Settings()))
        started = set(os.listdir("/proc/self/task")) - before
        assert all(os.sched_getaffinity(int(task)) == mine for task in started)
        del session
    finally:
        os.sched_setaffinity(0, cores)


def test_parameters_reach_the_session_options():
    config = parameters(
        intra_op_thread_count="2",
        inter_op_thread_count="3",
        execution_mode="1",
        enable_mem_arena="false",
        enable_mem_pattern="0",
        **{
            "session.intra_op.allow_spinning": "1",
            "memory.enable_memory_arena_shrinkage": "cpu:0",
        },
    )
    config["optimization"] = {"graph": {"level": 1}}
    settings = read_settings(config)
    options = session_options(settings)
    assert (options.intra_op_num_threads, options.inter_op_num_threads) == (2, 3)
    assert options.execution_mode == onnxruntime.ExecutionMode.ORT_PARALLEL
    assert not options.enable_cpu_mem_arena
    assert not options.enable_mem_pattern
    level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
    assert options.graph_optimization_level == level
    assert options.get_session_config_entry("session.intra_op.allow_spinning") == "1"
    assert options.get_session_config_entry("session.inter_op.allow_spinning") == "0"
    entry = run_options(settings).get_run_config_entry("memory.enable_memory_arena_shrinkage")
    assert entry == "cpu:0"


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("intra_op_thread_count", "two"),
        ("inter_op_thread_count", ""),
        ("execution_mode", "2"),
        ("enable_mem_arena", "maybe"),
        ("enable_mem_pattern", "2"),
        ("cudnn_conv_algo_search", "3"),
        ("arena_extend_strategy", "kSameAsRequested"),
        ("gpu_mem_limit", "1G"),
    ],
)
def test_bad_parameters_are_refused(key, value):
    with pytest.raises(ValueError, match=f"parameter '{key}': expected .*got '{value}'"):
        read_settings(parameters(**{key: value}))


# ---- signature


def test_a_good_configuration_passes():
    ids = tensor("ids", -1, data_type="TYPE_INT64")
    narrowed = tensor("speech", 100, 560)
    for speech in (SPEECH, narrowed):
        config = {"max_batch_size": 8, "input": [speech, LENGTHS], "output": [ids]}
        check_config(config, ENCODER)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"input": [SPEECH]}, r"expected a configuration of the model's 2 inputs .*got 1"),
        ({"input": [SPEECH, tensor("length", 1)]}, "input 'length': expected one of"),
        ({"input": [SPEECH, tensor("lengths", 1)]}, "expected data_type TYPE_INT32, got TYPE_FP32"),
        (
            {"input": [SPEECH, tensor("lengths", 1, data_type="TYPE_INT32")]},
            r"input 'lengths': expected shape \[-1\], got \[-1, 1\].*reshape",
        ),
        ({"input": [tensor("speech", -1, -1), LENGTHS]}, r"expected shape \[-1, -1, 560\]"),
        ({"input": [tensor("speech", 560), LENGTHS]}, r"input 'speech': expected shape"),
        ({"input": [{**SPEECH, "optional": True}, LENGTHS]}, "got 1"),
        ({"output": [tensor("ids", 16, data_type="TYPE_INT64")]}, r"'ids': expected shape \[-1, -"),
        ({"output": [tensor("logits", -1)]}, "output 'logits': expected one of"),
        ({"max_batch_size": 0}, r"input 'speech': expected shape \[-1, -1, 560\], got \[-1, 560\]"),
        ({"batch_input": [{}]}, "batch_input: expected kind BATCH_ITEM_SHAPE"),
        ({"batch_output": [{}]}, "expected no batch_output"),
        ({"input": [RAGGED, LENGTHS]}, r"takes shape \[-1\] for allow_ragged_batch"),
        ({"input": [RAGGED, LENGTHS], "max_batch_size": 0}, "max_batch_size > 0 with allow_ragged"),
        ({"batch_input": [ITEM_SHAPE]}, r"expected one source_input of \[\]"),
        (
            {"input": [RAGGED, LENGTHS], "batch_input": [{**ITEM_SHAPE, "data_type": "TYPE_BOOL"}]},
            "data_type TYPE_INT32 or TYPE_FP32, got TYPE_BOOL",
        ),
        ({"sequence_batching": {"state": [{}]}}, "implicit state"),
        ({"model_transaction_policy": {"decoupled": True}}, "decoupled"),
    ],
)
def test_differences_are_refused(change, words):
    config = {"max_batch_size": 8, "input": [SPEECH, LENGTHS], "output": [tensor("score", 1)]}
    config["output"][0]["reshape"] = {"shape": []}
    check_config(config, ENCODER)
    with pytest.raises(ValueError, match=words):
        check_config({**config, **change}, ENCODER)


@pytest.mark.parametrize(
    ("graph", "words"),
    [
        ([Arg("speech", [None]), Arg("shapes", ["b", 2], "tensor(int32)")], None),
        ([Arg("speech", [None]), Arg("shapes", ["b", "n"], "tensor(int32)")], None),
        ([Arg("speech", [None]), Arg("shapes", ["b", 3], "tensor(int32)")], r"\[-1, 2\], got \["),
        ([Arg("speech", [None]), Arg("shapes", ["b", 2])], "TYPE_FP32, got TYPE_INT32"),
        ([Arg("speech", [None]), Arg("other", ["b", 2])], "'shapes': expected one of"),
        ([Arg("speech", ["b", None]), Arg("shapes", ["b", 2], "tensor(int32)")], r"got \[-1, -1\]"),
    ],
)
def test_shapes_of_ragged_inputs(graph, words):
    signature = read_signature(Graph(graph, [Arg("score", ["b"])]))
    config = {"max_batch_size": 8, "input": [RAGGED], "batch_input": [ITEM_SHAPE], "output": []}
    if words is None:
        check_config(config, signature)
    else:
        with pytest.raises(ValueError, match=words):
            check_config(config, signature)


def test_scalars_take_ones():
    scalar = read_signature(Graph([Arg("x", [])], [Arg("y", [])]))
    for max_batch_size in (0, 4):
        good = {"input": [tensor("x", 1)], "output": [tensor("y", 1)]}
        check_config({"max_batch_size": max_batch_size, **good}, scalar)
    with pytest.raises(ValueError, match="expected dims of 1 for a scalar"):
        check_config({"input": [tensor("x", 2)], "output": []}, scalar)


def test_sequence_controls_are_inputs():
    graph = read_signature(
        Graph([Arg("x", ["b", 2]), Arg("START", ["b", 1], "tensor(int32)")], [Arg("y", ["b", 2])])
    )
    control = {"kind": "CONTROL_SEQUENCE_START", "int32_false_true": [0, 1]}
    config = {
        "max_batch_size": 2,
        "input": [tensor("x", 2)],
        "output": [tensor("y", 2)],
        "sequence_batching": {"control_input": [{"name": "START", "control": [control]}]},
    }
    check_config(config, graph)
    control.update(int32_false_true=[], fp32_false_true=[0, 1])
    with pytest.raises(ValueError, match="control 'START': expected data_type TYPE_INT32"):
        check_config(config, graph)
    config["sequence_batching"]["control_input"][0]["name"] = "BEGIN"
    with pytest.raises(ValueError, match="control 'BEGIN': expected one of"):
        check_config(config, graph)


def test_initializers_may_be_optional_inputs_without_batching():
    graph = read_signature(Graph([Arg("x", [2])], [Arg("y", [2])], (Arg("w", [2]),)))
    config = {"input": [tensor("w", 2, optional=True), tensor("x", 2)], "output": []}
    check_config(config, graph)
    with pytest.raises(ValueError, match="no optional input with max_batch_size"):
        check_config({**config, "max_batch_size": 2}, graph)


def test_other_than_tensors_are_refused():
    with pytest.raises(ValueError, match=r"output 'y': expected a tensor, got seq\(tensor"):
        read_signature(Graph([], [Arg("y", [], "seq(tensor(float))")]))


# ---- completion


def test_missing_tensors_are_filled_in():
    config = {"name": "encoder", "max_batch_size": 0, "input": [], "output": []}
    assert needs_completion(config)
    complete_config(config, ENCODER)
    assert config["max_batch_size"] == 4
    assert config["dynamic_batching"] == {}
    assert config["input"] == [SPEECH, LENGTHS]
    assert config["output"][0] == tensor("ids", -1, data_type="TYPE_INT64")
    check_config(config, ENCODER)
    assert not needs_completion(config)


def test_what_is_written_stays():
    config = {"max_batch_size": 1, "input": [SPEECH, LENGTHS], "output": []}
    complete_config(config, ENCODER)
    assert config["max_batch_size"] == 1
    assert "dynamic_batching" not in config
    config = {"max_batch_size": 8, "output": [], "sequence_batching": {}}
    complete_config(config, ENCODER)
    assert "dynamic_batching" not in config


def test_a_fixed_first_dimension_cannot_batch():
    fixed = read_signature(Graph([Arg("x", [1, 2])], [Arg("y", ["b", 2])]))
    with pytest.raises(ValueError, match=r"dynamic first dimension .*got 'x' \[1, 2\]"):
        complete_config({"max_batch_size": 4}, fixed)
    config = {"max_batch_size": 0}
    complete_config(config, fixed)
    assert config["input"] == [tensor("x", 1, 2)]
    check_config(config, fixed)


def test_a_type_that_triton_lacks_is_refused():
    graph = read_signature(Graph([Arg("x", [2], "tensor(bfloat16)")], [Arg("y", [2])]))
    with pytest.raises(ValueError, match="'x': expected a type that Triton has"):
        complete_config({}, graph)
