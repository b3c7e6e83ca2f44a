"""FunASR's own exports of VAD and punctuation behind the interfaces of `asr_core`, row by row."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_core.punctuation import load_punctuation
from asr_core.vad import SpanMs, VadModel, VadStream, load_vad, override_options, score_streams
from asr_server.graphs.session import Session

Float = NDArray[np.float32]
Int = NDArray[np.int32]


class ExportedVad:
    """An export's graph as `asr_core.vad.scoring.VadEncoder`: every row alone, without padding."""

    def __init__(self, model_dir: Path) -> None:
        self.model: VadModel = load_vad(model_dir)
        self.calls = 0
        self._graph = Session(model_dir / "model.onnx", threads=1, optimise=True)

    def __call__(self, speech: Float, speech_lengths: Int, cache: Float) -> tuple[Float, Float]:
        """`VadEncoder`."""
        self.calls += 1
        probs = np.zeros(speech.shape[:2], np.float32)
        next_cache = np.empty_like(cache)
        for row, (features, length) in enumerate(zip(speech, speech_lengths[:, 0], strict=True)):
            feed = {f"in_cache{i}": layer[None, :, :, None] for i, layer in enumerate(cache[row])}
            logits, *caches = self._graph({"speech": features[None, :length], **feed}).values()
            probs[row, :length] = logits[0, :, 0]
            next_cache[row] = np.stack([layer[0, :, :, 0] for layer in caches])
        return probs, next_cache

    def silence_probs(self, samples: Float) -> Float:
        """The probability of silence of each frame of a recording, float32 [frames]."""
        scores: list[Float] = [np.zeros(0, np.float32)]

        def encode(speech: Float, speech_lengths: Int, cache: Float) -> tuple[Float, Float]:
            outputs = self(speech, speech_lengths, cache)
            scores.append(outputs[0][0])
            return outputs

        stream = self.stream()
        stream.push(samples, True)
        score_streams([stream], encode)
        return np.concatenate(scores)

    def stream(self, **options: Any) -> VadStream:
        """Open a stream."""
        return VadStream(self.model, override_options(self.model.options, options))

    def segments(self, pieces: Iterable[Float], **options: Any) -> list[list[SpanMs]]:
        """What each piece of a stream brings."""
        stream, answers, pieces = self.stream(**options), [], list(pieces)
        for index, piece in enumerate(pieces):
            stream.push(piece, index == len(pieces) - 1)
            score_streams([stream], self)
            answers.append(stream.take_segments())
        return answers


class ExportedPunctuation:
    """An export's graph as `asr_core.punctuation.marking.Tagger`: rows alone, without padding."""

    def __init__(self, model_dir: Path) -> None:
        self.model = load_punctuation(model_dir)
        self.calls = 0
        self._graph = Session(model_dir / "model.onnx", threads=1, optimise=True)

    def __call__(self, word_ids: Int, word_lengths: Int, vad_indexes: Int) -> Int:
        """`Tagger`."""
        self.calls += 1
        marks = np.zeros_like(word_ids)
        for row, size in enumerate(word_lengths[:, 0].tolist()):
            pause = int(vad_indexes[row, 0])
            vad_mask = np.ones((size, size), np.float32)
            if 0 < pause < size:
                vad_mask[: pause - 1, pause:] = 0
            feed = {
                "inputs": word_ids[row : row + 1, :size],
                "text_lengths": np.array([size], np.int32),
                "vad_masks": vad_mask[None, None],
                "sub_masks": vad_mask[None, None],
            }
            (logits,) = self._graph(feed).values()
            marks[row, :size] = logits[0].argmax(axis=-1)
        return marks
