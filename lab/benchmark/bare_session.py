"""The limit: the front end and the ONNX session alone, in this process."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS
from asr_core.features.frontend import load_frontend
from lab.benchmark.workload import Recording


class BareSession:
    """One session on a prepared graph, called with one recording at a time.

    Args:
        graph: the prepared ONNX file, the one the server runs, of a model without hotwords.
        model_dir: holds `config.yaml` and `am.mvn`.
        threads: intra-op threads of the session; calls may come from several threads at once.
    """

    def __init__(self, graph: Path, model_dir: Path, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        self._session = onnxruntime.InferenceSession(
            str(graph), options, providers=["CPUExecutionProvider"]
        )
        self._frontend = load_frontend(model_dir)
        self._outputs = [value.name for value in self._session.get_outputs()]
        self._prompt = prompt_inputs(self._session)

    def __call__(self, recording: Recording) -> dict[str, NDArray[Any]]:
        """Run one recording; returns the graph's outputs by name."""
        return self.encode(self._frontend(recording))

    def encode(self, features: NDArray[np.float32]) -> dict[str, NDArray[Any]]:
        """Run features [T, D]; returns the graph's outputs by name."""
        lengths = np.array([len(features)], np.int32)
        feeds = {"speech": features[None], "speech_lengths": lengths, **self._prompt}
        return dict(zip(self._outputs, self._session.run(self._outputs, feeds), strict=True))


def prompt_inputs(session: onnxruntime.InferenceSession) -> dict[str, NDArray[Any]]:
    """Return what a prepared graph takes besides the features, for one row."""
    known: dict[str, NDArray[Any]] = {
        "language": np.array([LANGUAGE_IDS["auto"]], np.int32),
        "textnorm": np.array([TEXT_NORM_IDS["withitn"]], np.int32),
        "bias_embed": np.zeros((1, 1, 1), np.float32),  # a Paraformer without hotwords
    }
    names = {value.name for value in session.get_inputs()}
    return {name: value for name, value in known.items() if name in names}
