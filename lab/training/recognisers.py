"""Runs the exported models on waveforms.

The server's own numpy code around ONNX Runtime, and FunASR's runtime for the streaming model.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import onnxruntime

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS
from asr_core.features.frontend import load_frontend
from asr_core.paraformer.scoring import ParaformerRow, load_scoring
from asr_core.sensevoice.scoring import TOKENIZER_NAME, SenseVoiceResult, SenseVoiceScoring
from asr_core.text.words import Word, join_words

Waveform = npt.NDArray[np.float32]


def _session(model_dir: Path) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(model_dir / "model.onnx"), options, providers=["CPUExecutionProvider"]
    )


class ParaformerRecogniser:
    """The exported BiCifParaformer."""

    def __init__(self, model_dir: Path) -> None:
        self._frontend = load_frontend(model_dir)
        self._scoring = load_scoring(model_dir)
        self._session = _session(model_dir)

    def words(self, waveform: Waveform) -> list[Word]:
        """Words with times of a float32 waveform [samples] at 16 kHz in [-1, 1]."""
        features = self._frontend(waveform)
        if len(features) == 0:
            return []
        lengths = np.array([len(features)], np.int32)
        inputs = {"speech": features[None], "speech_lengths": lengths}
        logits, token_num, us_alphas, us_cif_peak = self._session.run(None, inputs)
        count = int(token_num[0])
        scores = logits[0, :count]
        row = ParaformerRow(
            scores.argmax(-1).astype(np.int32), scores.max(-1), us_alphas[0], us_cif_peak[0]
        )
        return self._scoring(row)

    def text(self, waveform: Waveform) -> str:
        """Plain text of a waveform as for `words`."""
        return join_words(self.words(waveform))


class StreamingRecogniser:
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


class SenseVoiceRecogniser:
    """The exported SenseVoiceSmall."""

    def __init__(self, model_dir: Path) -> None:
        self._frontend = load_frontend(model_dir)
        self._scoring = SenseVoiceScoring(model_dir / TOKENIZER_NAME)
        self._session = _session(model_dir)

    def __call__(
        self, waveform: Waveform, language: str = "auto", text_norm: str = "woitn"
    ) -> SenseVoiceResult:
        """Tags and text of a float32 waveform [samples] at 16 kHz in [-1, 1]."""
        features = self._frontend(waveform)
        inputs = {
            "speech": features[None],
            "speech_lengths": np.array([len(features)], np.int32),
            "language": np.array([LANGUAGE_IDS[language]], np.int32),
            "textnorm": np.array([TEXT_NORM_IDS[text_norm]], np.int32),
        }
        logits, lengths = self._session.run(None, inputs)
        frames = logits[0, : int(lengths[0])]
        log_normaliser = np.logaddexp.reduce(frames, axis=-1)
        return self._scoring(
            frames.argmax(-1).astype(np.int32),
            (frames.max(-1) - log_normaliser).astype(np.float32),
        )
