"""Continuous integrate-and-fire: encoder frames to one acoustic embedding per token."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ONSET = 0.1  # weight from which a token counts as begun


@dataclass(frozen=True)
class Fires:
    """The tokens that fired.

    Attributes:
        acoustic_embeds: float32 [N, D].
        spans: of each, the frames in which it began and in which it fired.
    """

    acoustic_embeds: NDArray[np.float32]
    spans: list[tuple[int, int]]


class CifIntegrator:
    """Sums weighted frames of one stream until they make a token, and carries the rest over.

    Args:
        hidden_size: D, width of the encoder's output.
        threshold: weight of a token.
        tail_threshold: weight added at the end, so that a token that is nearly there fires.

    Source: Dong and Xu, "CIF: Continuous Integrate-and-Fire for End-to-End Speech Recognition"
    (2020), section 3; the weights are integrated in float64, single precision misses fires.
    """

    def __init__(self, hidden_size: int, threshold: float, tail_threshold: float) -> None:
        self._threshold = threshold
        self._tail_threshold = tail_threshold
        self._weight = 0.0
        self._sum = np.zeros(hidden_size, np.float32)
        self._onset: int | None = None

    def accept(
        self, hidden: NDArray[np.float32], alphas: NDArray[np.float32], frames: Sequence[int]
    ) -> Fires:
        """Integrate some frames.

        Args:
            hidden: float32 [T, D], encoder output.
            alphas: float32 [T], its weights, each at most `threshold`.
            frames: the number of each frame in the stream, for `Fires.spans`.
        """
        shares: list[dict[int, float]] = [{}]  # for each token, how much of which frame
        spans = []
        for index, (alpha, frame) in enumerate(zip(alphas.tolist(), frames, strict=True)):
            used = alpha
            if self._weight + alpha >= self._threshold:
                used = self._threshold - self._weight
                shares[-1][index] = used
                spans.append((frame if self._onset is None else self._onset, frame))
                shares.append({})
                self._weight, self._onset = 0.0, None
                used = alpha - used
            self._weight += used
            shares[-1][index] = used
            if self._onset is None and self._weight > ONSET:
                self._onset = frame
        weights = np.zeros((len(shares), len(alphas)), np.float32)
        for row, share in zip(weights, shares, strict=True):
            row[list(share)] = list(share.values())
        sums = weights @ hidden
        sums[0] += self._sum
        self._sum = sums[-1]
        return Fires(sums[:-1], spans)

    def finish(self, last_frame: int) -> Fires:
        """Add the tail weight to a frame of zeros after the last one."""
        nothing = np.zeros((1, len(self._sum)), np.float32)
        return self.accept(nothing, np.array([self._tail_threshold], np.float32), [last_frame])
