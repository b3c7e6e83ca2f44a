"""Calls from one model to another (business logic scripting)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_triton.memory import own

_of_thread = threading.local()


@contextmanager
def calls_for(requests: Sequence[Any]) -> Iterator[None]:
    """Let this thread's calls meanwhile be part of the trace of a request that Triton records.

    What several have in common is part of the first one's. Only for requests that are answered
    before `execute` returns: the trace goes with its request.
    """
    traces = (request.trace() for request in requests)
    _of_thread.trace = next((trace for trace in traces if trace.get_context()), None)
    try:
        yield
    finally:
        _of_thread.trace = None


def run_model(
    model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
) -> list[NDArray[Any]]:
    """Run a model of this server and return the named outputs.

    They are in the computer's memory, and outlive the response.

    Raises:
        RuntimeError: it answered with an error.
    """
    trace = getattr(_of_thread, "trace", None)
    response = pb_utils.InferenceRequest(
        model_name=model,
        **({} if trace is None else {"trace": trace}),
        requested_output_names=list(outputs),
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU),
    ).exec()
    if response.has_error():
        raise RuntimeError(f"{model}: {response.error().message()}")
    return [own(pb_utils.get_output_tensor_by_name(response, name).as_numpy()) for name in outputs]


def model_function(model: str, outputs: Sequence[str]) -> Callable[..., list[NDArray[Any]]]:
    """Return a model of this server as a function of its inputs, by name, to these outputs."""
    return lambda **inputs: run_model(model, inputs, outputs)
