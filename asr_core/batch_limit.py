"""How much work a batch may hold so that it does not take longer than it should."""

from __future__ import annotations

_RECENT = 0.2  # weight of the latest batch in the mean


class BatchLimit:
    """Learns what an item costs in the batches of late, and says how many fit a time.

    Larger batches carry more per second, but what arrives meanwhile waits for their end: with two
    workers in turns up to half a batch, before a batch of its own. Not safe to use from several
    threads at once.

    Args:
        target_s: how long a batch should take.
        most: items in a batch, however cheap they are.
    """

    def __init__(self, target_s: float, most: int) -> None:
        self._target_s = target_s
        self._most = most
        self._item_s = 0.0

    @property
    def items(self) -> int:
        """How many items the next batch may hold, at least 1."""
        if self._item_s * self._most <= self._target_s:
            return self._most
        return max(round(self._target_s / self._item_s), 1)

    def observe(self, items: int, seconds: float) -> None:
        """Take notice of a batch that is done."""
        item_s = seconds / items
        self._item_s += (item_s - self._item_s) * (_RECENT if self._item_s else 1.0)
