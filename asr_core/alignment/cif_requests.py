"""Requests of the aligner `fa-zh`: recordings and their words to the words' times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr_contract.tensors import WORDS
from asr_core.alignment.characters import CharacterCounter
from asr_core.alignment.requests import decoded
from asr_core.features import (
    Features,
    Waveform,
    encode_equal_lengths,
    load_frontend,
    split_rows,
)
from asr_core.paraformer import SEGMENTATION_FILE, load_segmentation
from asr_core.text import aligned_spans_ms

ALIGNER_ENCODER_OUTPUTS = ("us_alphas",)
NO_WORD = (-1, -1)  # the times of what fills a row up


class AlignerEncoder(Protocol):
    """The encoder graph; a row's result does not depend on the others."""

    def __call__(self, *, speech: NDArray[np.float32]) -> Sequence[NDArray[np.float32]]:
        """Turn features [B, T, 560] into weights [B, 3 T], the only one of a sequence."""


@dataclass(frozen=True)
class CifRequest:
    """A request's recordings, and the words of each.

    Attributes:
        waveforms, lengths: float32 [R, S] and int32 [R, 1], as `split_rows` takes them.
        words: object [R, W] of bytes; a row of fewer words is filled up with empty ones.
    """

    waveforms: NDArray[np.float32]
    lengths: NDArray[np.int32]
    words: NDArray[Any]


@dataclass(frozen=True)
class _Row:
    """A recording of a request, and how many tokens each of its words is."""

    features: Features
    tokens: list[int]


class CifAlignmentService:
    """Answers requests of any number of recordings of any lengths.

    The encoder knows no lengths: an LSTM reads each row from its end, too. So rows of one length
    run together, and nothing is padded.

    Args:
        extract: the front end.
        count: tokens of a word.
        max_audio_seconds: longest recording accepted.
        max_batch_size: rows in one run of the encoder.
    """

    def __init__(
        self,
        extract: Callable[[Waveform], Features],
        count: Callable[[str], int],
        max_audio_seconds: float,
        max_batch_size: int,
    ) -> None:
        self._extract = extract
        self._count = count
        self._max_audio_seconds = max_audio_seconds
        self._max_batch_size = max_batch_size

    def answer(
        self, requests: Sequence[CifRequest], encode: AlignerEncoder
    ) -> list[NDArray[np.int32] | Exception]:
        """Answer several requests together.

        Returns:
            For each request the times of its words, int32 [R, W, 2] in ms; a ValueError if it is at
            fault, or another exception if the encoder failed.
        """
        read = [self._read(request) for request in requests]
        encoded = encode_equal_lengths(
            [
                rows if isinstance(rows, ValueError) else [row.features for row in rows]
                for rows in read
            ],
            lambda speech: encode(speech=speech)[0],
            self._max_batch_size,
        )
        return [_times(rows, weights) for rows, weights in zip(read, encoded, strict=True)]

    def _read(self, request: CifRequest) -> list[_Row] | ValueError:
        """Return a request's recordings and words, or why it is refused."""
        try:
            waveforms = split_rows(request.waveforms, request.lengths, self._max_audio_seconds)
            if len(request.words) != len(waveforms):
                raise ValueError(
                    f"{WORDS}: expected {len(waveforms)} rows, as WAV has; got {len(request.words)}"
                )
            rows = []
            for index, (waveform, words) in enumerate(zip(waveforms, request.words, strict=True)):
                features = self._extract(waveform)
                if not len(features):
                    raise ValueError(
                        f"WAV, row {index}: expected at least one frame of 25 ms; got "
                        f"{len(waveform)} samples"
                    )
                rows.append(_Row(features, [self._count(decoded(word)) for word in words]))
        except ValueError as error:
            return error
        return rows


def _times(
    rows: Sequence[_Row] | ValueError, encoded: Sequence[NDArray[np.float32]] | Exception
) -> NDArray[np.int32] | Exception:
    """Return the times of the words of a request's rows, int32 [R, W, 2], or why there are none."""
    if isinstance(rows, ValueError):
        return rows
    if isinstance(encoded, Exception):
        return encoded
    times = [_word_times(row.tokens, own) for row, own in zip(rows, encoded, strict=True)]
    return np.array(times, np.int32)


def _word_times(tokens: Sequence[int], weights: NDArray[np.float32]) -> list[tuple[int, int]]:
    """Return the time of each word: from the begin of its first token to the end of its last."""
    spans = aligned_spans_ms(weights, sum(tokens))
    times, first = [], 0
    for count in tokens:
        times.append((spans[first][0], spans[first + count - 1][1]) if count else NO_WORD)
        first += count
    return times


def load_cif_alignment(
    model_dir: Path, max_audio_seconds: float, max_batch_size: int
) -> CifAlignmentService:
    """Build the service of an installed aligner.

    Args:
        model_dir: holds `am.mvn` and `config.yaml`, and `seg_dict` where the model has one.
        max_audio_seconds: longest recording accepted.
        max_batch_size: rows in one run of the encoder.

    Raises:
        OSError, ValueError: a file is missing, or is not what it should be.
    """
    counter = CharacterCounter(load_segmentation(model_dir / SEGMENTATION_FILE))
    frontend = load_frontend(model_dir)
    return CifAlignmentService(frontend, counter, max_audio_seconds, max_batch_size)
