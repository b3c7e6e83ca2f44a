"""Requests to arrays, and results or errors to responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_core.sequences import Turn, read_turn

Answer = TypeVar("Answer")


def read(request: Any, name: str) -> NDArray[Any]:
    """Return an input; it is Triton's memory, gone with the request."""
    array: NDArray[Any] = pb_utils.get_input_tensor_by_name(request, name).as_numpy()
    return array


def read_optional(request: Any, name: str) -> NDArray[Any] | None:
    """Return an input as `read` does, None where the request has none of this name."""
    tensor = pb_utils.get_input_tensor_by_name(request, name)
    return None if tensor is None else tensor.as_numpy()


def turn_of(request: Any) -> Turn:
    """Return where in its sequence a request stands."""
    return read_turn(request.correlation_id(), request.flags(), request.parameters())


def reply(
    answer: Answer | Exception, to_outputs: Callable[[Answer], Mapping[str, NDArray[Any]]]
) -> Any:
    """Return the response to a request: its outputs, or the refusal where it was not answered.

    Args:
        answer: what a service gives for the request.
        to_outputs: turns an answer into the model's outputs by name.
    """
    return refuse(answer) if isinstance(answer, Exception) else respond(to_outputs(answer))


def answer_each(
    requests: Sequence[Any], answer: Callable[[Any], Mapping[str, NDArray[Any]]]
) -> list[Any]:
    """Return each request's response; what is wrong with one is its own answer.

    Args:
        requests: Triton's, of one call of `execute`.
        answer: gives a request's outputs by name, or raises ValueError if it is at fault.
    """
    responses = []
    for request in requests:
        try:
            responses.append(respond(answer(request)))
        except ValueError as error:
            responses.append(refuse(error))
    return responses


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
