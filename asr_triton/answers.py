"""Requests to arrays, and results or errors to responses."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray


def read(request: Any, name: str) -> NDArray[Any]:
    """Return an input; it is Triton's memory, gone with the request."""
    array: NDArray[Any] = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
    return array


def respond(tensors: Mapping[str, NDArray[Any]]) -> Any:
    """Return the response that holds these outputs."""
    return pb_utils.InferenceResponse(
        [pb_utils.Tensor(name, array) for name, array in tensors.items()]
    )


def refuse(error: Exception) -> Any:
    """Return the response to a request that failed: its own fault if `error` is a ValueError."""
    bad_input = isinstance(error, ValueError)
    code = pb_utils.TritonError.INVALID_ARG if bad_input else pb_utils.TritonError.INTERNAL
    return pb_utils.InferenceResponse(error=pb_utils.TritonError(str(error), code))
