"""What alignment asks of the server, and what its answers mean, without any input or output.

sensevoice_frames     as a recogniser; CANDIDATE_IDS INT32 and CANDIDATE_SCORES FP32 [1, n, k]:
                      the best tokens of each frame, four frames of tags first, and
                      FRAMES INT32 [1, 1], of which behind it there is padding
sensevoice_alignment  WORDS STRING [w], the frames of the whole recording [n, k] and
                      LEVELS FP32 [l]; TIMESTAMPS INT32 [w, 2] and CONFIDENCE FP32 [w]
aligner               (fa-zh) as a recogniser, and WORDS STRING [1, w]; TIMESTAMPS INT32 [1, w, 2]
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import ALIGNER_MODEL, SENSEVOICE_ALIGNMENT_MODEL, SENSEVOICE_FRAMES_MODEL
from asr_contract.tensors import (
    AUDIO_INPUTS,
    CANDIDATE_IDS,
    CANDIDATE_SCORES,
    CONFIDENCE,
    FRAMES,
    LEVELS,
    PROMPT_INPUTS,
    TIMESTAMPS,
    WORDS,
)

from ..audio.waveform import Waveform
from ..errors import ProtocolError
from ..protocol import InferRequest, ModelInterface, build_request
from .windows import Window

_FRAMES_INTERFACE = ModelInterface(SENSEVOICE_FRAMES_MODEL, AUDIO_INPUTS | PROMPT_INPUTS)
_ALIGNER_INTERFACE = ModelInterface(ALIGNER_MODEL, AUDIO_INPUTS)
_TAG_FRAMES = 4


@dataclass(frozen=True)
class FrameCandidates:
    """What is likely in some frames: ids int32 [n, k] and log-probabilities float32 [n, k]."""

    ids: NDArray[np.int32]
    scores: NDArray[np.float32]


@dataclass(frozen=True)
class PlacedWord:
    """When a word is heard; its confidence is None where the model cannot tell."""

    start_ms: int
    end_ms: int
    confidence: float | None


def frames_request(window: Window, *, language: str, figures: bool) -> InferRequest:
    """Ask what is likely in the frames of a window.

    Args:
        window: of the recording.
        language: a word of `LANGUAGE_IDS`.
        figures: the text has figures, so the model is asked for them, too.
    """
    return build_request(_FRAMES_INTERFACE, [window.waveform], language=language, itn=figures)


def parse_frames(window: Window, outputs: Mapping[str, NDArray[Any]]) -> FrameCandidates:
    """Return the candidates of the frames that count.

    Args:
        window: what was asked about.
        outputs: CANDIDATE_IDS and CANDIDATE_SCORES [1, n, k], FRAMES with one number.

    Raises:
        ProtocolError: an output is missing or misshaped.
    """
    try:
        ids, scores, lengths = (outputs[n] for n in (CANDIDATE_IDS, CANDIDATE_SCORES, FRAMES))
    except KeyError:
        raise ProtocolError(
            f"model {SENSEVOICE_FRAMES_MODEL!r}: expected the outputs {CANDIDATE_IDS}, "
            f"{CANDIDATE_SCORES}, {FRAMES}; got {', '.join(sorted(outputs))}"
        ) from None
    if ids.ndim != 3 or ids.shape != scores.shape or len(ids) != 1 or lengths.size != 1:
        raise ProtocolError(
            f"model {SENSEVOICE_FRAMES_MODEL!r}: expected {CANDIDATE_IDS} and {CANDIDATE_SCORES} "
            f"[1, n, k]; got {list(ids.shape)}, {list(scores.shape)}"
        )
    first = _TAG_FRAMES + window.skipped
    last = int(lengths.ravel()[0])
    if window.kept is not None:
        last = min(last, first + window.kept)
    return FrameCandidates(ids[0, first:last], scores[0, first:last])


def alignment_request(
    words: Sequence[str], frames: Sequence[FrameCandidates], levels: NDArray[np.float32]
) -> InferRequest:
    """Ask when words are heard in a whole recording.

    Args:
        words: of the text.
        frames: of its windows, in order.
        levels: float32 [L], in dB, one for each `LEVEL_MS`.
    """
    return InferRequest(
        SENSEVOICE_ALIGNMENT_MODEL,
        {
            WORDS: _encoded(words),
            CANDIDATE_IDS: np.concatenate([part.ids for part in frames]),
            CANDIDATE_SCORES: np.concatenate([part.scores for part in frames]),
            LEVELS: levels,
        },
    )


def aligner_request(words: Sequence[str], waveform: Waveform) -> InferRequest:
    """Ask `fa-zh` when words are said in [samples] float32, all of which it must be given."""
    request = build_request(_ALIGNER_INTERFACE, [waveform])
    return replace(request, inputs={**request.inputs, WORDS: _encoded(words)[None]})


def _encoded(words: Sequence[str]) -> NDArray[np.object_]:
    return np.array([word.encode() for word in words], np.object_)


def parse_aligner(count: int, outputs: Mapping[str, NDArray[Any]]) -> list[tuple[int, int]]:
    """Return begin and end of each word, in ms.

    Args:
        count: of the words.
        outputs: TIMESTAMPS int32 [1, count, 2].

    Raises:
        ProtocolError: the output is missing or misshaped.
    """
    times = outputs.get(TIMESTAMPS)
    if times is None or times.shape != (1, count, 2):
        got = sorted(outputs) if times is None else list(times.shape)
        raise ProtocolError(
            f"model {ALIGNER_MODEL!r}: expected {TIMESTAMPS} [1, {count}, 2]; got {got}"
        )
    return [(start_ms, end_ms) for start_ms, end_ms in times[0].tolist()]


def parse_alignment(
    model: str, count: int, outputs: Mapping[str, NDArray[Any]]
) -> list[PlacedWord]:
    """Return when each word is heard.

    Args:
        model: that was asked, for messages.
        count: of the words.
        outputs: TIMESTAMPS int32 [count, 2] and perhaps CONFIDENCE float32 [count].

    Raises:
        ProtocolError: an output is missing or misshaped.
    """
    times = outputs.get(TIMESTAMPS)
    if times is None or times.shape != (count, 2):
        got = sorted(outputs) if times is None else list(times.shape)
        raise ProtocolError(f"model {model!r}: expected {TIMESTAMPS} [{count}, 2]; got {got}")
    confidence = outputs.get(CONFIDENCE, np.full(count, -1.0, np.float32))
    if confidence.shape != (count,):
        raise ProtocolError(
            f"model {model!r}: expected {CONFIDENCE} [{count}]; got {list(confidence.shape)}"
        )
    return [
        PlacedWord(start, end, value if value >= 0 else None)
        for (start, end), value in zip(times.tolist(), confidence.tolist(), strict=True)
    ]
