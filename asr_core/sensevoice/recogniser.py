"""SenseVoice in one place: waveforms to features, to each frame's best token, to tags and text.

A server runs the same three steps as three models, so that the encoder batches across requests.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS
from asr_core.decoding import Decoder
from asr_core.features import Features, Frontend, Waveform, batch_features
from asr_core.sensevoice.scoring import (
    SenseVoiceOutputs,
    SenseVoiceResult,
    SenseVoiceScoring,
)


class SenseVoiceEncoder(Protocol):
    """The prepared encoder graph; a row's result does not depend on padding or on the others."""

    def __call__(
        self,
        *,
        speech: NDArray[np.float32],
        speech_lengths: NDArray[np.int32],
        language: NDArray[np.int32],
        textnorm: NDArray[np.int32],
    ) -> Sequence[NDArray[Any]]:
        """Encode a batch.

        Args:
            speech: [R, T, D], zero beyond each row's length.
            speech_lengths: [R], frames of each row.
            language: [R], ids of its prompts.
            textnorm: [R], ids of its prompts.

        Returns:
            The fields of `SenseVoiceOutputs`, in their order.
        """


class SenseVoiceRecogniser:
    """Recognise recordings of the languages that SenseVoice knows.

    Args:
        frontend: waveform to features.
        encode: features and prompts to each frame's best token.
        scoring: tokens to tags, text and words.
        decoder: searches for words among the candidates; None takes the best of each frame.
    """

    def __init__(
        self,
        frontend: Frontend,
        encode: SenseVoiceEncoder,
        scoring: SenseVoiceScoring,
        decoder: Decoder | None = None,
    ) -> None:
        self._frontend = frontend
        self._encode = encode
        self._scoring = scoring
        self._decoder = decoder

    def __call__(
        self,
        waveforms: Sequence[Waveform],
        language: str = "auto",
        text_norm: str = "withitn",
        hotwords: str = "",
    ) -> list[SenseVoiceResult]:
        """Recognise one or more recordings in one run of the encoder.

        Args:
            waveforms: of any lengths.
            language: of all of them, a key of `LANGUAGE_IDS`.
            text_norm: a key of `TEXT_NORM_IDS`.
            hotwords: of all of them, where there is a decoder.
        """
        features = [self._frontend(waveform) for waveform in waveforms]
        inputs = sensevoice_inputs(features, language, text_norm)
        outputs = SenseVoiceOutputs(*self._encode(**inputs))
        search = self._decoder.row_search(hotwords) if self._decoder else None
        return self._scoring.score_rows(outputs, search)


def sensevoice_inputs(
    features: Sequence[Features], language: str = "auto", text_norm: str = "withitn"
) -> dict[str, NDArray[Any]]:
    """Return the inputs of `SenseVoiceEncoder` for rows of features [T_i, D]."""
    rows = len(features)
    return {
        **batch_features(features),
        "language": np.full(rows, LANGUAGE_IDS[language], np.int32),
        "textnorm": np.full(rows, TEXT_NORM_IDS[text_norm], np.int32),
    }
