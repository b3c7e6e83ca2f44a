"""Runs the exported models on waveforms.

The product's recognisers around ONNX Runtime on the graphs as exported, and FunASR's runtime for
the streaming model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_core.features import Waveform, load_frontend
from asr_core.paraformer import ParaformerRecogniser, load_scoring
from asr_core.sensevoice import TOKENIZER_NAME, SenseVoiceRecogniser, SenseVoiceScoring
from asr_server.graphs.session import Session


def load_paraformer(model_dir: Path) -> ParaformerRecogniser:
    """Load the exported BiCifParaformer. Its graph takes one recording with a frame or more."""
    graph = Session(model_dir / "model.onnx", threads=1, optimise=True)

    def encode(**inputs: NDArray[Any]) -> list[NDArray[Any]]:
        logits, *others = graph(inputs).values()
        return [*best_tokens(logits), *others]  # Paraformer's logits are log-probabilities

    return ParaformerRecogniser(load_frontend(model_dir), encode, load_scoring(model_dir))


def load_sensevoice(model_dir: Path) -> SenseVoiceRecogniser:
    """Load the exported SenseVoiceSmall. Its graph takes one recording with a frame or more."""
    graph = Session(model_dir / "model.onnx", threads=1, optimise=True)

    def encode(**inputs: NDArray[Any]) -> list[NDArray[Any]]:
        logits, lengths = graph(inputs).values()
        log_probs = logits - np.logaddexp.reduce(logits, axis=-1, keepdims=True)
        return [*best_tokens(log_probs), lengths]

    scoring = SenseVoiceScoring(model_dir / TOKENIZER_NAME)
    return SenseVoiceRecogniser(load_frontend(model_dir), encode, scoring)


def best_tokens(log_probs: NDArray[np.float32]) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
    """Return the best ids [R, T] of log-probabilities [R, T, V], and their own: prepared graphs'.

    The exported graphs give all of them, the prepared ones these.
    """
    return log_probs.argmax(-1).astype(np.int32), log_probs.max(-1)


class FunasrStreaming:
    """The exported ParaformerStreaming in `funasr_onnx`, fed chunks of 600 ms."""

    CHUNK_SAMPLES = 9600
    LEAST_LAST_SAMPLES = 960
    """`funasr_onnx` drops the samples of a shorter last piece."""

    def __init__(self, model_dir: Path) -> None:
        from funasr_onnx.paraformer_online_bin import Paraformer

        self._model = Paraformer(model_dir, chunk_size=[5, 10, 5], intra_op_num_threads=1)

    def text(self, waveform: Waveform) -> str:
        """Plain text of a float32 waveform [samples] at 16 kHz in [-1, 1]."""
        missing = self.LEAST_LAST_SAMPLES - (len(waveform) % self.CHUNK_SAMPLES or len(waveform))
        waveform = np.concatenate([waveform, np.zeros(max(0, missing), np.float32)])
        cache: dict[str, Any] = {}
        pieces = []
        for first in range(0, len(waveform), self.CHUNK_SAMPLES):
            chunk = waveform[first : first + self.CHUNK_SAMPLES]
            is_final = first + self.CHUNK_SAMPLES >= len(waveform)
            options = {"cache": cache, "is_final": is_final}
            results = self._model(chunk, param_dict=options)
            pieces += [result["preds"][0] for result in results if result]
        return "".join(pieces)
