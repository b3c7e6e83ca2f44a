"""`funasr_onnx`'s streaming FSMN-VAD, and recordings on which two runtimes must agree."""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from funasr_onnx.vad_bin import Fsmn_vad_online

from asr_contract import SAMPLE_RATE
from asr_core.vad import override_options
from asr_server.install.funasr_vad_reference import Segments
from lab.training.exported_graphs import ExportedVad
from tests.recordings import heldout

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


def is_clear(vad: ExportedVad, samples: np.ndarray, **options: Any) -> bool:
    """Whether no frame is so near the threshold that rounding decides whether it is speech."""
    limits = override_options(vad.model.options, options)
    silence = vad.silence_probs(samples)
    margin = 1 - silence - silence**limits.speech_2_noise_ratio - limits.speech_noise_thres
    return bool(np.abs(margin).min() > _ROUNDING)


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
    clear = (samples for samples in candidates if is_clear(vad, samples, **options))
    return list(itertools.islice(clear, count))


def cut_at_random(samples: np.ndarray, rng: np.random.Generator, shortest: int, longest: int):
    """Cut a recording into pieces of `shortest` to `longest` samples; the last may be any."""
    pieces, start = [], 0
    while start < len(samples):
        size = int(rng.integers(shortest, longest + 1))
        pieces.append(samples[start : start + size])
        start += size
    return pieces
