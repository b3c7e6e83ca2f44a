"""Checks that a graph's weights in int8 or float16 are those of its float32 original, rounded.

What a graph says on a few recordings tells a sound model of close tokens from a broken one badly:
a matrix of many can be wrong and change little. Its numbers tell at once, for a rounded weight is
at most a step of its scale from the original.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, numpy_helper

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.external_data import load_model, tensors_of

_STEPS = 1.01  # of the scale; ONNX Runtime rounds to half a step, with a zero point to one
_FLOAT_TOLERANCE = 2e-3  # relative: float16 keeps eleven bits
_SMALLEST = 1e-4  # below it float16 loses bits


def check_rounded_weights(original: Path, rounded: Path) -> int:
    """Compare the weights that both graphs have under the same name; return how many.

    Where most of them differ, the names belong to another export of the model, and nothing is
    compared: exporters number what has no name.

    Args:
        original: in float32.
        rounded: the same graph, dynamically quantised by ONNX Runtime or with float16 weights.

    Raises:
        PrepareError: a weight is another one.
        OSError: a file cannot be read.
    """
    wanted, got = _weights(load_model(original)), _weights(load_model(rounded))
    compared, reasons = 0, []
    for name, tensor in wanted.items():
        if tensor.data_type != TensorProto.FLOAT:
            continue
        found = _restored(name, list(tensor.dims), got)
        if found is None:
            continue
        values, tolerance = found
        expected = numpy_helper.to_array(tensor)
        compared += 1
        if expected.shape != values.shape:
            reasons.append(f"{name} has shape {list(values.shape)}, not {list(expected.shape)}")
            continue
        if tolerance is None:
            tolerance = _FLOAT_TOLERANCE * np.maximum(np.abs(expected), _SMALLEST)
        wrong = ~(np.abs(values - expected) <= tolerance)
        if wrong.any():
            reasons.append(f"{wrong.mean():.0%} of the values of {name} differ")
    if 2 * len(reasons) > compared:
        return 0
    if reasons:
        raise PrepareError(f"{rounded.name}: weights are not the original's, rounded: {reasons[0]}")
    return compared


def _weights(model: ModelProto) -> dict[str, TensorProto]:
    return {tensor.name: tensor for tensor in tensors_of(model.graph) if tensor.name}


def _restored(
    name: str, shape: list[int], weights: dict[str, TensorProto]
) -> tuple[NDArray[np.float32], NDArray[np.float32] | None] | None:
    """Return a weight in float32 and how far it may be off; None where it is not there.

    Source: ONNX Runtime, `quantize_dynamic`: `_quantized`, `_scale` and `_zero_point`.
    """
    quantized, scale = weights.get(f"{name}_quantized"), weights.get(f"{name}_scale")
    if quantized is not None and scale is not None:
        steps: NDArray[Any] = numpy_helper.to_array(quantized).astype(np.float32)
        if list(steps.shape) != shape:
            return steps, None
        size = numpy_helper.to_array(scale).astype(np.float32)
        zero = weights.get(f"{name}_zero_point")
        middle = np.float32(0) if zero is None else numpy_helper.to_array(zero).astype(np.float32)
        values = (steps - middle) * size
        return values, np.broadcast_to(_STEPS * size, values.shape)
    plain = weights.get(name)
    if plain is None or plain.data_type not in (TensorProto.FLOAT, TensorProto.FLOAT16):
        return None
    return numpy_helper.to_array(plain).astype(np.float32), None
