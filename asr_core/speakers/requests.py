"""The speaker model's requests: recordings to vectors, those of one length in one run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE
from asr_core.features import (
    FRAME_LENGTH_MS,
    FRAME_SHIFT_MS,
    Features,
    encode_equal_lengths,
    split_rows,
)
from asr_core.speakers.fbank import SpeakerFbank

SHORTEST_FRAMES = 20  # less has no voice to tell, and one frame no deviation over time
_SHORTEST_S = ((SHORTEST_FRAMES - 1) * FRAME_SHIFT_MS + FRAME_LENGTH_MS) / 1000


class SpeakerEncoder(Protocol):
    """The encoder graph; a row's result does not depend on the others."""

    def __call__(self, *, features: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        """Turn features [B, T, 80] into embeddings [B, D], the only one of a sequence."""


@dataclass(frozen=True)
class SpeakerRequest:
    """Recordings of a request: float32 [R, S] and int32 [R, 1], as `split_rows` takes them."""

    waveforms: NDArray[np.float32]
    lengths: NDArray[np.int32]


class SpeakerService:
    """Answers requests of any number of recordings of any lengths.

    The encoder knows no lengths: its means and deviations go over all frames, and its convolutions
    see zeros beyond the ends. So rows of one length run together, and nothing is padded.

    Args:
        max_audio_seconds: longest recording accepted.
        max_batch_size: rows in one run of the encoder.
    """

    def __init__(self, max_audio_seconds: float, max_batch_size: int) -> None:
        self._extract = SpeakerFbank()
        self._max_audio_seconds = max_audio_seconds
        self._max_batch_size = max_batch_size

    def answer(
        self, requests: Sequence[SpeakerRequest], encode: SpeakerEncoder
    ) -> list[NDArray[np.float32] | Exception]:
        """Answer several requests together.

        Returns:
            For each request its embeddings, float32 [R, D]; a ValueError if it is at fault, or
            another exception if the encoder failed.
        """
        read = [self._features(request) for request in requests]
        encoded = encode_equal_lengths(
            read, lambda features: encode(features=features)[0], self._max_batch_size
        )
        return [own if isinstance(own, Exception) else np.stack(own) for own in encoded]

    def _features(self, request: SpeakerRequest) -> list[Features] | ValueError:
        """Return the features of each recording, or why a request is refused."""
        try:
            rows = split_rows(request.waveforms, request.lengths, self._max_audio_seconds)
            features = [self._extract(row) for row in rows]
            for index, frames in enumerate(features):
                if len(frames) < SHORTEST_FRAMES:
                    got_s = request.lengths[index, 0] / SAMPLE_RATE
                    raise ValueError(
                        f"WAV, row {index}: expected at least {_SHORTEST_S} s of audio to tell a "
                        f"voice by, got {got_s:.3f} s"
                    )
        except ValueError as error:
            return error
        return features
