"""Requests to arrays, and results or errors to responses."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_core.sequences import Turn, read_turn
from asr_triton.memory import own

Answer = TypeVar("Answer")


def read_inputs(request: Any) -> dict[str, NDArray[Any]]:
    """Return a request's inputs by name; they outlive the request."""
    return {tensor.name(): own(tensor.as_numpy()) for tensor in request.inputs()}


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
