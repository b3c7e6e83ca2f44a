"""The limit: the front end and the ONNX session alone, in this process."""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_core.features import load_frontend
from asr_core.paraformer import NoHotwords, paraformer_inputs
from asr_core.sensevoice import sensevoice_inputs
from asr_server.graphs.session import Outputs, Session
from lab.benchmark.workload import Recording

Features = NDArray[np.float32]
EncoderInputs = Callable[[Sequence[Features]], dict[str, NDArray[Any]]]


class BareSession:
    """One session on a prepared graph, called with one recording at a time.

    Args:
        graph: the prepared ONNX file, the one the server runs, of a model without hotwords.
        model_dir: holds `config.yaml` and `am.mvn`.
        threads: intra-op threads of the session; calls may come from several threads at once.
    """

    def __init__(self, graph: Path, model_dir: Path, threads: int) -> None:
        self._graph = Session(graph, threads, optimise=True)
        # what a program has that takes Kaldi's features from the package of that name
        self._frontend = load_frontend(model_dir, "kaldi-native-fbank")
        self._inputs = choose_inputs(self._graph.input_shapes)

    def __call__(self, recording: Recording) -> Outputs:
        """Run one recording; returns the graph's outputs by name."""
        return self.encode(self._frontend(recording))

    def encode(self, features: Features) -> Outputs:
        """Run features [T, D]; returns the graph's outputs by name."""
        return self._graph(self._inputs([features]))


def choose_inputs(names: Collection[str]) -> EncoderInputs:
    """Return what makes a prepared graph's inputs of rows of features, without hotwords.

    Args:
        names: of the graph's inputs, which tell the kind of model.
    """
    if "bias_embed" in names:
        return lambda rows: paraformer_inputs(rows, NoHotwords()(""))
    return sensevoice_inputs
