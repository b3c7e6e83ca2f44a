"""Inputs whose requests may differ in shape and still be one run: ragged ones.

Where the configuration says `allow_ragged_batch: true`, the graph takes the elements of all
requests end to end, as one tensor of one axis, as from Triton's C++ backend. What the graph needs
to tell rows apart comes as a `batch_input` of kind `BATCH_ITEM_SHAPE`: the shape of each row,
taken from the tensor itself. (The C++ backend knows further kinds, which are refused here.)

Source: Triton's `model_config.proto`, `BatchInput`; C++ backend, src/onnxruntime.cc,
ValidateInputs and SetInputTensors.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

Array = NDArray[Any]
Concatenate: TypeAlias = Callable[[str, Sequence[Array]], Array]  # (name, arrays) -> one
_ITEM_SHAPE = "BATCH_ITEM_SHAPE"
_DATA_TYPES: dict[str, type[np.generic]] = {"TYPE_INT32": np.int32, "TYPE_FP32": np.float32}


@dataclass(frozen=True)
class ItemShape:
    """An input of the graph that gets the shape of each row of another.

    Attributes:
        target: the graph's input, [rows, axes of `source` but the batch's].
        source: the ragged input.
        data_type: Triton's, `TYPE_INT32` or `TYPE_FP32`.
    """

    target: str
    source: str
    data_type: str


@dataclass(frozen=True)
class Ragged:
    """What of a model is ragged.

    Attributes:
        inputs: names of the ragged inputs.
        shapes: the inputs made of them.
    """

    inputs: frozenset[str] = frozenset()
    shapes: tuple[ItemShape, ...] = field(default_factory=tuple)

    def join(self, name: str, arrays: Sequence[Array], concatenate: Concatenate) -> Array:
        """Return the elements of an input's requests [rows, ...] as the graph takes them.

        Args:
            name: of the input.
            arrays: of its requests; one alone is not copied.
            concatenate: joins several.
        """
        if name in self.inputs:
            arrays = [array.reshape(-1) for array in arrays]
        return arrays[0] if len(arrays) == 1 else concatenate(name, arrays)

    def made(self, jobs: Sequence[Mapping[str, Array]]) -> dict[str, Array]:
        """Return the inputs that are made of the ragged inputs of requests."""
        return {
            shape.target: np.concatenate(
                [np.tile(job[shape.source].shape[1:], (len(job[shape.source]), 1)) for job in jobs]
            ).astype(_DATA_TYPES[shape.data_type])
            for shape in self.shapes
        }


def read_ragged(config: Mapping[str, Any]) -> Ragged:
    """Read what a configuration says to be ragged.

    Raises:
        ValueError: it asks for what this backend cannot do, or makes no sense.
    """
    inputs = {
        entry["name"]: entry for entry in config.get("input", []) if entry.get("allow_ragged_batch")
    }
    for name, entry in inputs.items():
        if int(config.get("max_batch_size", 0)) < 1:
            raise ValueError(f"input '{name}': expected max_batch_size > 0 with allow_ragged_batch")
        if entry.get("optional"):
            raise ValueError(f"input '{name}': expected no optional input with allow_ragged_batch")
    shapes = []
    for entry in config.get("batch_input", []):
        kind, sources = entry.get("kind", ""), entry.get("source_input", [])
        data_type = entry.get("data_type", "")
        if kind != _ITEM_SHAPE:
            raise ValueError(
                f"batch_input: expected kind {_ITEM_SHAPE}, got {kind}: the others are served by "
                "the C++ ONNX Runtime backend only"
            )
        if len(sources) != 1 or sources[0] not in inputs:
            raise ValueError(
                f"batch_input: expected one source_input of {sorted(inputs)} (the inputs with "
                f"allow_ragged_batch), got {list(sources)}"
            )
        if data_type not in _DATA_TYPES:
            raise ValueError(
                f"batch_input: expected data_type {' or '.join(_DATA_TYPES)}, got {data_type}"
            )
        shapes += [ItemShape(name, sources[0], data_type) for name in entry.get("target_name", [])]
    return Ragged(frozenset(inputs), tuple(shapes))
