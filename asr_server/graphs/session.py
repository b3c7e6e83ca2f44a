"""ONNX Runtime as the proofs use it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray
from onnxruntime import OrtValue

from asr_server.graphs.errors import PrepareError
from asr_server.graphs.packs import PackLimits, limit_values
from asr_server.graphs.ragged import RAGGED, end_to_end, shape_input

Outputs = dict[str, NDArray[Any]]

_TYPES: dict[str, type[np.generic]] = {
    "tensor(float16)": np.float16,
    "tensor(int32)": np.int32,
    "tensor(int64)": np.int64,
}


class Session:
    """An ONNX model in ONNX Runtime on the CPU.

    Args:
        model: a file, or a serialised model.
        threads: CPU threads of one operator.
        optimise: let ONNX Runtime fuse operators, as when serving.
        limits: of the packs of a graph that lays rows out, in the place of its own.

    Raises:
        PrepareError: ONNX Runtime refuses the model.
    """

    def __init__(
        self,
        model: Path | bytes,
        threads: int,
        optimise: bool,
        limits: PackLimits | None = None,
    ) -> None:
        options = onnxruntime.SessionOptions()
        # ONNX Runtime reads them where they are, for as long as the session lives.
        self._limits = [] if limits is None else override_limits(options, limits)
        options.intra_op_num_threads = threads
        if not optimise:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4  # calls that a model fails on are reported by the caller
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model),
                options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            name = "the graph" if isinstance(model, bytes) else model.name
            raise PrepareError(f"ONNX Runtime cannot load {name}: {error}") from error
        self.input_shapes = {value.name: value.shape for value in self._session.get_inputs()}
        self._types = {value.name: value.type for value in self._session.get_inputs()}
        self.output_shapes = {value.name: value.shape for value in self._session.get_outputs()}

    def __call__(self, feed: dict[str, Any]) -> Outputs:
        """Run one batch; what the graph does not take is left out.

        Rows of `speech` [B, T, D] and `bias_embed` [B, W, H], or lists of rows, are laid end to end
        for a graph that takes them so.

        Raises:
            PrepareError: the graph fails on it.
        """
        for name in RAGGED:
            if shape_input(name) in self._types and shape_input(name) not in feed:
                feed = {**feed, **end_to_end(name, feed[name])}
        typed = {
            name: np.asarray(feed[name], _TYPES.get(element_type, np.float32))
            for name, element_type in self._types.items()
        }
        try:
            return dict(zip(self.output_shapes, self._session.run(None, typed), strict=True))
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            shapes = {name: value.shape for name, value in typed.items()}
            raise PrepareError(f"the graph fails on {shapes}: {error}") from error

    def function(self, outputs: Sequence[str]) -> Callable[..., list[NDArray[Any]]]:
        """Return a function of the inputs, by name, to the named outputs, in their order."""

        def run(**inputs: NDArray[Any]) -> list[NDArray[Any]]:
            found = self(inputs)
            return [found[name] for name in outputs]

        return run


def override_limits(options: onnxruntime.SessionOptions, limits: PackLimits) -> list[OrtValue]:
    """Give a session other limits of packs than its file has.

    Returns:
        What must live as long as the session, since ONNX Runtime does not keep it alive.
    """
    values = {k: OrtValue.ortvalue_from_numpy(v) for k, v in limit_values(limits).items()}
    for name, value in values.items():
        options.add_initializer(name, value)
    return list(values.values())
