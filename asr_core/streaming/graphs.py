"""The graphs of streaming Paraformer, as the recogniser calls them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

Float = NDArray[np.float32]
Int = NDArray[np.int32]
Columns = NDArray[np.floating[Any]]  # of the decoder's cache: float32 or float16

ENCODER_OUTPUTS = ("hidden", "alphas")
DECODER_OUTPUTS = (
    "token_ids",
    "token_scores",
    "new_columns",
    "candidate_ids",
    "candidate_scores",
)


class StreamingEncoder(Protocol):
    """The encoder graph; a window's result does not depend on the others of its batch."""

    def __call__(
        self, *, fbank: Float, first_position: Int, positions: Int, window_lengths: Int
    ) -> Sequence[Float]:
        """Encode a batch of windows.

        Args:
            fbank: [B, F, mel bins].
            first_position: [B, 1], position of the row that starts at each `fbank[b, 0]`.
            positions: [B, R], the rows of each window, 0 for a row of zeros.
            window_lengths: [B, 1], rows of each window.

        Returns:
            `ENCODER_OUTPUTS`: hidden [B, R, D] and alphas [B, R].
        """


class StreamingDecoder(Protocol):
    """The decoder graph; a row's result does not depend on the others of its batch."""

    def __call__(
        self,
        *,
        hidden: Float,
        hidden_lengths: Int,
        acoustic_embeds: Float,
        embeds_lengths: Int,
        cached_columns: Columns,
    ) -> Sequence[NDArray[Any]]:
        """Decode the tokens of a batch of windows.

        Args:
            hidden: [B, R, D].
            hidden_lengths: [B, 1].
            acoustic_embeds: [B, N, D].
            embeds_lengths: [B, 1].
            cached_columns: [B, K, layers, D], what the layers remember of the last K tokens.

        Returns:
            `DECODER_OUTPUTS`: token_ids [B, N], token_scores [B, N] (log-probabilities),
            new_columns [B, N, layers, D], to be remembered of these tokens, and, where streams are
            searched, ids and scores of the best C [B, N, C].
        """
