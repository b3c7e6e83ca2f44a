"""Our requests as tritonclient's gRPC client takes them, and its answers as ours."""

from __future__ import annotations

from typing import Any

import tritonclient.grpc as triton
from numpy.typing import NDArray
from tritonclient.utils import np_to_triton_dtype

from ..protocol import InferRequest, ModelMetadata
from ..results import ModelInfo
from .interface import request_arguments


def grpc_arguments(request: InferRequest, timeout_s: float) -> dict[str, Any]:
    """Return the keyword arguments that describe a request to tritonclient."""
    inputs = []
    for name, array in request.inputs.items():
        tensor = triton.InferInput(name, list(array.shape), np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array)
        inputs.append(tensor)
    rest = request_arguments(request, timeout_s)
    return {"model_name": request.model_name, "inputs": inputs, **rest}


def grpc_outputs(result: triton.InferResult) -> dict[str, NDArray[Any]]:
    """Return all outputs of an answer by name."""
    return {output.name: result.as_numpy(output.name) for output in result.get_response().outputs}


def grpc_metadata(answer: Any) -> ModelMetadata:
    """Return the tensor names of a ModelMetadataResponse."""
    return ModelMetadata(
        frozenset(tensor.name for tensor in answer.inputs),
        frozenset(tensor.name for tensor in answer.outputs),
    )


def grpc_ready_models(answer: Any) -> list[ModelInfo]:
    """Return the models of a ModelStatisticsResponse: those that are ready."""
    return [ModelInfo(model.name, model.version) for model in answer.model_stats]


def grpc_queue_ns(answer: Any) -> int:
    """Return how long requests to all models of a ModelStatisticsResponse waited in queues."""
    return sum(int(model.inference_stats.queue.ns) for model in answer.model_stats)
