"""A model's configuration turned into ONNX Runtime's options.

Keys and values are those of Triton's C++ backend (its README, "Other Optimization Options" and
"ONNX Runtime with CUDA/TensorRT"). Where a parameter is absent ONNX Runtime's own default
holds, as in C++, except for spinning:

* intra_op_thread_count, inter_op_thread_count: "0" or absent is one thread per core
  that the process may use (ONNX Runtime itself takes all of the machine's, and puts its threads on
  cores that `taskset` or a container forbids);
* execution_mode: "0" sequential, "1" parallel;
* enable_mem_arena: on. The CPU arena keeps the largest batch's memory until the model unloads,
  unless memory.enable_memory_arena_shrinkage ("cpu:0", "cpu:0;gpu:0") frees it after each run;
* enable_mem_pattern: on. ONNX Runtime plans memory once per combination of input shapes and keeps
  every plan: turn it off ("0") for models of variable length;
* optimization.graph.level: -1 basic, 1 extended, 2 none, else all.

* spinning: off (C++: on), for here every model instance is a process with threads of its own, and
  waiting threads that spin take the cores from the other models. Measured with twelve 512 x 512
  layers, two threads each, on two cores that other jobs used too: 3.5 ms of processor time a run
  instead of 6.9, and 3 processes made 141 to 301 runs/s instead of 48 to 63. With one model alone
  on an idle machine `session.intra_op.allow_spinning: "1"` may be faster.

Seven kinds of key are known here and ignored by the C++ backend, so they are safe in a shared
configuration: `session.*`, handed to ONNX Runtime as session configuration entries (for instance
`session.intra_op.allow_spinning`), `allow_newer_onnx` (see `ort_file`), `concurrent_runs` and
`concurrent_runs_on_gpu` (see `ort_workers`), `spread_lone_runs` (see `ort_shared`), `join_lengths`
(see `ort_batch`) and `require_gpu` (see `ort_session`).
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import onnxruntime
from ort_cores import usable_cores

NO_SPINNING = {"session.intra_op.allow_spinning": "0", "session.inter_op.allow_spinning": "0"}
SHRINKAGE = "memory.enable_memory_arena_shrinkage"
EXECUTION_MODES = {0: "sequential", 1: "parallel"}
CONV_ALGO_SEARCH = {0: "EXHAUSTIVE", 1: "HEURISTIC", 2: "DEFAULT"}
ARENA_STRATEGIES = {0: "kNextPowerOfTwo", 1: "kSameAsRequested"}

_GRAPH_LEVELS = {
    -1: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC,
    1: onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED,
    2: onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL,
}
_TRUE, _FALSE = ("1", "true", "on"), ("0", "false", "off")


@dataclass(frozen=True)
class Settings:
    """The checked parameters of a model; None leaves ONNX Runtime's default.

    Attributes:
        intra_op_threads, inter_op_threads: 0 is one per core that may be used.
        parallel: run independent branches of the graph at once.
        mem_arena, mem_pattern: see the module; on a GPU `settings_on_gpu`.
        graph_level: `optimization.graph.level`; 0 is everything.
        session_entries: `session.*`.
        run_entries: run options.
        cuda_options: options of the CUDA provider.
        custom_op_libraries: `model_operations.op_library_filename`.
        allow_newer_onnx: load files that the 24.10 container cannot.
        concurrent_runs: runs of the session at a time, but on a GPU; 0 is one per core.
        concurrent_runs_on_gpu: the same on a GPU.
        spread_lone_runs: a run that is alone gets all cores; only where there are several runs at
            a time, and no number of threads is set.
        join_lengths: requests whose ragged inputs differ in shape share a run; None is "auto": on a
            GPU only.
        require_gpu: loading fails where the model would not run on a GPU.
    """

    intra_op_threads: int = 0
    inter_op_threads: int = 0
    parallel: bool = False
    mem_arena: bool | None = None
    mem_pattern: bool | None = None
    graph_level: int = 0
    session_entries: Mapping[str, str] = field(default_factory=dict)
    run_entries: Mapping[str, str] = field(default_factory=dict)
    cuda_options: Mapping[str, str] = field(default_factory=dict)
    custom_op_libraries: tuple[str, ...] = ()
    allow_newer_onnx: bool = False
    concurrent_runs: int = 0
    concurrent_runs_on_gpu: int = 1
    spread_lone_runs: bool = True
    join_lengths: bool | None = None
    require_gpu: bool = False


def read_settings(config: Mapping[str, Any]) -> Settings:
    """Read the settings in a model's configuration. Unknown parameters are ignored, as in C++.

    Raises:
        ValueError: a parameter that cannot be read, as "parameter 'x': expected …, got …".
    """
    values = {
        key: str((entry or {}).get("string_value", ""))
        for key, entry in (config.get("parameters") or {}).items()
    }
    graph = (config.get("optimization") or {}).get("graph") or {}
    operations = config.get("model_operations") or {}
    return Settings(
        intra_op_threads=max(_integer(values, "intra_op_thread_count", 0), 0),
        inter_op_threads=max(_integer(values, "inter_op_thread_count", 0), 0),
        parallel=_choice(values, "execution_mode", EXECUTION_MODES) == "parallel",
        mem_arena=_boolean(values, "enable_mem_arena"),
        mem_pattern=_boolean(values, "enable_mem_pattern"),
        graph_level=int(graph.get("level", 0)),
        session_entries={k: v for k, v in values.items() if k.startswith("session.")},
        run_entries={k: v for k, v in values.items() if k == SHRINKAGE},
        cuda_options=_cuda_options(values),
        custom_op_libraries=tuple(operations.get("op_library_filename", [])),
        allow_newer_onnx=_boolean(values, "allow_newer_onnx") or False,
        concurrent_runs=max(_integer(values, "concurrent_runs", 0), 0),
        concurrent_runs_on_gpu=max(_integer(values, "concurrent_runs_on_gpu", 1), 1),
        spread_lone_runs=_boolean(values, "spread_lone_runs") is not False,
        join_lengths=_auto_boolean(values, "join_lengths"),
        require_gpu=_boolean(values, "require_gpu") or False,
    )


def _fewer_cores() -> int:
    """Return the cores that this process may use where these are not all, else 0."""
    cores = usable_cores()
    return cores if cores < (os.cpu_count() or cores) else 0


def session_options(settings: Settings) -> onnxruntime.SessionOptions:
    """Return ONNX Runtime's session options for a model."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = settings.intra_op_threads or _fewer_cores()
    options.inter_op_num_threads = settings.inter_op_threads or _fewer_cores()
    if settings.parallel:
        options.execution_mode = onnxruntime.ExecutionMode.ORT_PARALLEL
    if settings.mem_arena is not None:
        options.enable_cpu_mem_arena = settings.mem_arena
    if settings.mem_pattern is not None:
        options.enable_mem_pattern = settings.mem_pattern
    options.graph_optimization_level = _GRAPH_LEVELS.get(
        settings.graph_level, onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    )
    options.log_severity_level = 3  # errors: its warnings about unused initialisers are noise
    for key, value in {**NO_SPINNING, **settings.session_entries}.items():
        options.add_session_config_entry(key, value)
    for library in settings.custom_op_libraries:
        options.register_custom_ops_library(library)
    return options


def settings_on_gpu(settings: Settings) -> Settings:
    """Return the settings for a session on a GPU: batches of speech are seldom of one shape twice.

    ONNX Runtime plans memory for each new shape, which cost 30 ms a run (SenseVoice in float16,
    H200, ONNX Runtime 1.31) and is left out unless `enable_mem_pattern` asks for it.
    """
    return replace(settings, mem_pattern=bool(settings.mem_pattern))


def run_options(settings: Settings) -> onnxruntime.RunOptions:
    """Return ONNX Runtime's options for each run of a model."""
    options = onnxruntime.RunOptions()
    for key, value in settings.run_entries.items():
        options.add_run_config_entry(key, value)
    return options


def _cuda_options(values: Mapping[str, str]) -> dict[str, str]:
    """Return the options of the CUDA provider that stand among the parameters."""
    options = {}
    algorithm = _choice(values, "cudnn_conv_algo_search", CONV_ALGO_SEARCH)
    if algorithm is not None:
        options["cudnn_conv_algo_search"] = algorithm
    strategy = _choice(values, "arena_extend_strategy", ARENA_STRATEGIES)
    if strategy is not None:
        options["arena_extend_strategy"] = strategy
    if "gpu_mem_limit" in values:
        options["gpu_mem_limit"] = str(_integer(values, "gpu_mem_limit", 0))
    copies = _boolean(values, "do_copy_in_default_stream")
    if copies is not None:
        options["do_copy_in_default_stream"] = str(int(copies))
    return options


def _integer(values: Mapping[str, str], key: str, default: int) -> int:
    """Return a parameter as a whole number.

    Raises:
        ValueError: it is not one.
    """
    if key not in values:
        return default
    try:
        return int(values[key])
    except ValueError:
        raise ValueError(
            f"parameter '{key}': expected a string_value with a whole number, got '{values[key]}'"
        ) from None


def _choice(values: Mapping[str, str], key: str, choices: Mapping[int, str]) -> str | None:
    """Return a numbered choice, None if it is not made.

    Raises:
        ValueError: there is no such number.
    """
    if key not in values:
        return None
    number = _integer(values, key, 0)
    if number not in choices:
        named = ", ".join(f'"{n}" ({meaning})' for n, meaning in choices.items())
        raise ValueError(f"parameter '{key}': expected one of {named}, got '{values[key]}'")
    return choices[number]


def _auto_boolean(values: Mapping[str, str], key: str) -> bool | None:
    """Return a yes or no, None for "auto" or if it is not said.

    Raises:
        ValueError: it is none of these.
    """
    if values.get(key, "").lower() == "auto":
        return None
    try:
        return _boolean(values, key)
    except ValueError as error:
        raise ValueError(f"{error}; or auto") from None


def _boolean(values: Mapping[str, str], key: str) -> bool | None:
    """Return a yes or no, None if it is not said.

    Raises:
        ValueError: it is neither.
    """
    if key not in values:
        return None
    word = values[key].lower()
    if word not in _TRUE + _FALSE:
        raise ValueError(
            f"parameter '{key}': expected one of {', '.join(_TRUE + _FALSE)}, got '{values[key]}'"
        )
    return word in _TRUE
