"""Paraformer in one place: waveforms to features, to the best token of each step, to words.

A server runs the same three steps as three models, so that the encoder batches across requests.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from asr_core.decoding import Decoder
from asr_core.features import Features, Frontend, Waveform, batch_features
from asr_core.paraformer.hotword_bias import BiasEmbed, NoHotwords
from asr_core.paraformer.scoring import ParaformerOutputs, ParaformerScoring
from asr_core.text import DecodedWord


class ParaformerEncoder(Protocol):
    """The prepared graph of encoder, predictor and decoder; its rows are independent."""

    def __call__(
        self,
        *,
        speech: NDArray[np.float32],
        speech_lengths: NDArray[np.int32],
        bias_embed: NDArray[np.float32],
    ) -> Sequence[NDArray[Any]]:
        """Encode and decode a batch.

        Args:
            speech: [R, T, D], zero beyond each row's length.
            speech_lengths: [R], frames of each row.
            bias_embed: [R, N, D], hotwords; [R, 1, 1] for a model that takes none.

        Returns:
            The fields of `ParaformerOutputs`, in their order.
        """


class ParaformerRecogniser:
    """Recognise Chinese mixed with English.

    Args:
        frontend: waveform to features.
        encode: features and hotwords to the best token of each decoder step.
        scoring: tokens to words.
        embed_hotwords: hotwords to what the encoder attends to, as `load_hotword_bias` gives it.
        decoder: searches for words among the candidates; None takes the best of each step.
    """

    def __init__(
        self,
        frontend: Frontend,
        encode: ParaformerEncoder,
        scoring: ParaformerScoring,
        embed_hotwords: Callable[[str], BiasEmbed] | None = None,
        decoder: Decoder | None = None,
    ) -> None:
        self._frontend = frontend
        self._encode = encode
        self._scoring = scoring
        self._embed_hotwords = embed_hotwords or NoHotwords()
        self._decoder = decoder

    def __call__(
        self, waveforms: Sequence[Waveform], hotwords: str = ""
    ) -> list[list[DecodedWord]]:
        """Recognise one or more recordings in one run of the encoder.

        Args:
            waveforms: of any lengths.
            hotwords: of all of them.

        Raises:
            ValueError: the hotwords cannot be used.
        """
        features = [self._frontend(waveform) for waveform in waveforms]
        inputs = paraformer_inputs(features, self._embed_hotwords(hotwords))
        outputs = ParaformerOutputs(*self._encode(**inputs))
        search = self._decoder.row_search(hotwords) if self._decoder else None
        return self._scoring.score_rows(outputs, inputs["speech_lengths"], search)


def paraformer_inputs(
    features: Sequence[Features], embedding: BiasEmbed
) -> dict[str, NDArray[Any]]:
    """Return the inputs of `ParaformerEncoder` for rows of features [T_i, D].

    Args:
        features: of each row.
        embedding: float32 [N, D] of the hotwords, the same for all rows.
    """
    return {**batch_features(features), "bias_embed": repeat_embedding(embedding, len(features))}


def repeat_embedding(embedding: BiasEmbed, num_rows: int) -> NDArray[np.float32]:
    """Give each row of a request the request's hotwords: float32 [N, D] to [R, N, D]."""
    return np.repeat(embedding[None], num_rows, axis=0)
