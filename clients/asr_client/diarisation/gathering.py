"""Keeps what the windows of a recording of any length say, in bounded memory.

Windows come into a block; a block that is full is clustered closely, by which each window becomes
one of few groups. Only the groups' means stay, and with each window the number of its group.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .clustering import close_groups
from .vectors import of_length_one

BLOCK_WINDOWS = 1_000  # 8 minutes of speech
MAX_GROUPS = 1_000  # means kept; beyond, the closest of them are joined


@dataclass(frozen=True)
class Groups:
    """All windows so far.

    Attributes:
        means: float32 [G, D], of length one.
        members: int64 [N], the group of each window, in order.
    """

    means: NDArray[np.float32]
    members: NDArray[np.int64]


class Gathering:
    """Takes embeddings as they come, and gives them as groups.

    Of a recording with fewer than `BLOCK_WINDOWS` windows each is a group of its own, so that
    nothing is decided before the end.
    """

    def __init__(self, block_windows: int = BLOCK_WINDOWS, max_groups: int = MAX_GROUPS) -> None:
        self._block_windows, self._max_groups = block_windows, max_groups
        self._waiting: list[NDArray[np.float32]] = []
        self._sums: NDArray[np.float32] | None = None
        self._members: list[NDArray[np.int64]] = []

    def add(self, embeddings: NDArray[np.float32]) -> None:
        """Take the next windows, [n, D] of length one."""
        self._waiting += list(embeddings)
        if len(self._waiting) >= self._block_windows:
            self._close_block()

    def groups(self) -> Groups | None:
        """Return all so far; None if there was nothing."""
        waiting = np.array(self._waiting, np.float32)
        sums = self._sums
        if sums is None:
            if not len(waiting):
                return None
            sums = waiting[:0]
        members = [*self._members, len(sums) + np.arange(len(waiting))]
        sums = np.concatenate([sums, waiting.reshape(-1, sums.shape[1])])
        return Groups(of_length_one(sums), np.concatenate(members))

    def _close_block(self) -> None:
        """Put the windows that wait into groups, and join groups if there are too many."""
        block = np.array(self._waiting, np.float32)
        self._waiting = []
        labels = close_groups(block, self._max_groups // 4)
        before = 0 if self._sums is None else len(self._sums)
        sums = _sums(block, labels)
        self._members.append(before + labels)
        self._sums = sums if self._sums is None else np.concatenate([self._sums, sums])
        if len(self._sums) > self._max_groups:
            joined = close_groups(of_length_one(self._sums), self._max_groups // 2)
            self._members = [joined[np.concatenate(self._members)]]
            self._sums = _sums(self._sums, joined)


def _sums(vectors: NDArray[np.float32], labels: NDArray[np.int64]) -> NDArray[np.float32]:
    """Return the sum of the vectors of each label."""
    sums = np.zeros((int(labels.max()) + 1, vectors.shape[1]), np.float32)
    np.add.at(sums, labels, vectors)
    return sums
