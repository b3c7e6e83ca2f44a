"""Calls from one model to another (business logic scripting)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray


def run_model(
    model: str, inputs: Mapping[str, NDArray[Any]], outputs: Sequence[str]
) -> list[NDArray[Any]]:
    """Run a model of this server and return the named outputs.

    They are copies in the computer's memory, since the model's own goes with the response.

    Raises:
        RuntimeError: it answered with an error.
    """
    response = pb_utils.InferenceRequest(
        model_name=model,
        requested_output_names=list(outputs),
        inputs=[pb_utils.Tensor(name, array) for name, array in inputs.items()],
        preferred_memory=pb_utils.PreferredMemory(pb_utils.TRITONSERVER_MEMORY_CPU),
    ).exec()
    if response.has_error():
        raise RuntimeError(f"{model}: {response.error().message()}")
    return [
        pb_utils.get_output_tensor_by_name(response, name).as_numpy().copy() for name in outputs
    ]


def model_function(model: str, outputs: Sequence[str]) -> Callable[..., list[NDArray[Any]]]:
    """Return a model of this server as a function of its inputs, by name, to these outputs."""
    return lambda **inputs: run_model(model, inputs, outputs)
