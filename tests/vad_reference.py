"""`funasr_onnx`'s FSMN-VAD, and its graph behind the interface of `asr_core.vad`."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from funasr_onnx.vad_bin import Fsmn_vad_online

from asr_core.vad import VadModel, VadStream, load_vad, score_streams
from asr_core.vad_options import override_options
from scripts.model_install.funasr_vad_reference import Segments
from tests.recordings import SAMPLE_RATE, heldout

VAD_MODELS = {
    path.name: path
    for path in sorted((Path(__file__).parent / "data" / "random_models").glob("fsmn_vad-*"))
}
TINY_VAD = VAD_MODELS["fsmn_vad-tiny-seed0"]


_ROUNDING = 4e-4  # of scores: FunASR normalises features in double precision


class OnlineReference:
    """`funasr_onnx.Fsmn_vad_online`.

    It raises on a piece that completes no frame, so that the first piece needs 720 samples, the
    others 160.
    """

    def __init__(self, model_dir: Path) -> None:
        self._vad = Fsmn_vad_online(str(model_dir), intra_op_num_threads=1)
        self._defaults = dict(self._vad.config["model_conf"])

    def segments(self, pieces: Sequence[np.ndarray], **options: Any) -> list[Segments]:
        """What each piece of a stream brings."""
        self._vad.config["model_conf"] = {**self._defaults, **options}
        self._vad.max_end_sil = self._vad.config["model_conf"]["max_end_silence_time"]
        state: dict[str, Any] = {"in_cache": []}
        answers = []
        for index, piece in enumerate(pieces):
            state["is_final"] = index == len(pieces) - 1
            found = self._vad(piece, param_dict=state)
            answers.append([tuple(segment) for segment in found[0]] if found else [])
        return answers


class ExportedVad:
    """An export's own graph as `asr_core.vad.Encoder`: every row alone, without padding."""

    def __init__(self, model_dir: Path) -> None:
        self.model: VadModel = load_vad(model_dir)
        self.calls = 0
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model_dir / "model.onnx"), options)

    def __call__(
        self, speech: np.ndarray, speech_lengths: np.ndarray, cache: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """`Encoder`."""
        self.calls += 1
        probs = np.zeros(speech.shape[:2], np.float32)
        next_cache = np.empty_like(cache)
        for row, (features, length) in enumerate(zip(speech, speech_lengths[:, 0], strict=True)):
            feed = {f"in_cache{i}": layer[None, :, :, None] for i, layer in enumerate(cache[row])}
            logits, *caches = self._session.run(None, {"speech": features[None, :length], **feed})
            probs[row, :length] = logits[0, :, 0]
            next_cache[row] = np.stack([layer[0, :, :, 0] for layer in caches])
        return probs, next_cache

    def is_clear(self, samples: np.ndarray, **options: Any) -> bool:
        """Whether no frame is so near the threshold that rounding decides whether it is speech."""
        scores: list[np.ndarray] = []

        def encode(*inputs: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            outputs = self(*inputs)
            scores.append(outputs[0][0])
            return outputs

        stream = self.stream()
        stream.push(samples, True)
        score_streams([stream], encode)
        limits = override_options(self.model.options, options)
        silence = np.concatenate(scores)
        margin = 1 - silence - silence**limits.speech_2_noise_ratio - limits.speech_noise_thres
        return bool(np.abs(margin).min() > _ROUNDING)

    def stream(self, **options: Any) -> VadStream:
        """Open a stream."""
        return VadStream(self.model, override_options(self.model.options, options))

    def segments(self, pieces: Iterable[np.ndarray], **options: Any) -> list[Segments]:
        """What each piece of a stream brings."""
        stream, answers, pieces = self.stream(**options), [], list(pieces)
        for index, piece in enumerate(pieces):
            stream.push(piece, index == len(pieces) - 1)
            score_streams([stream], self)
            answers.append(stream.take_segments())
        return answers


def join_segments(answers: Iterable[Segments]) -> Segments:
    """Put a stream's answers together into whole segments."""
    joined: Segments = []
    open_start = None
    for start, end in (segment for answer in answers for segment in answer):
        if start != -1:
            assert open_start is None
            open_start = start
        if end != -1:
            assert open_start is not None
            joined.append((open_start, end))
            open_start = None
    assert open_start is None, "a segment without end"
    return joined


@cache
def with_pauses(seed: int, utterances: int = 4) -> np.ndarray:
    """Utterances of the held-out set, loud and quiet, with silence and noise between them."""
    rng = np.random.default_rng(seed)
    parts = []
    for index in rng.integers(0, len(heldout()), utterances):
        pause = int(rng.uniform(0.1, 1.6) * SAMPLE_RATE)
        noise = rng.standard_normal(pause) * 10 ** rng.uniform(-5, -2.5)
        parts += [noise * rng.integers(2), heldout()[index][2] * rng.uniform(0.1, 1)]
    return np.concatenate(parts).astype(np.float32)


def clear_recordings(vad: ExportedVad, count: int, **options: Any) -> list[np.ndarray]:
    """The first recordings that two implementations cannot judge differently by rounding."""
    candidates = (with_pauses(seed) for seed in itertools.count())
    clear = (samples for samples in candidates if vad.is_clear(samples, **options))
    return list(itertools.islice(clear, count))


def cut_at_random(samples: np.ndarray, rng: np.random.Generator, shortest: int, longest: int):
    """Cut a recording into pieces of `shortest` to `longest` samples; the last may be any."""
    pieces, start = [], 0
    while start < len(samples):
        size = int(rng.integers(shortest, longest + 1))
        pieces.append(samples[start : start + size])
        start += size
    return pieces
