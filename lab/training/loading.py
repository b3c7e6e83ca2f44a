"""Batches made by processes beside the training, and their way to its device.

A batch is a NamedTuple: tensors, which go to the device, and NumPy arrays, which stay with the
host, where the lengths of recordings and texts are needed as numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, TypeVar

import torch
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

Batch = TypeVar("Batch", bound=tuple[Any, ...])
Maker = Callable[[int], Iterator[Batch]]
"""Endless batches of a seed."""
WAITING_BATCHES = 3
"""Made ahead by each process."""


class _Made(IterableDataset[Any]):
    """What a maker makes, in each process with a seed of its own."""

    def __init__(self, make: Maker[Any], seed: int) -> None:
        self._make, self._seed = make, seed

    def __iter__(self) -> Iterator[Any]:
        worker = get_worker_info()
        torch.set_num_threads(1)
        return self._make(self._seed + (1000 * (worker.id + 1) if worker else 0))


def _as_made(batch: Any) -> Any:
    return batch


def on_device(batch: Batch, device: torch.device) -> Batch:
    """Returns a batch whose tensors, also those of tuples within, are on `device`."""

    def move(part: Any) -> Any:
        if isinstance(part, tuple):
            return on_device(part, device)
        return part.to(device, non_blocking=True) if isinstance(part, torch.Tensor) else part

    return type(batch)(*map(move, batch))


def load_batches(
    make: Maker[Batch], seed: int, processes: int, device: torch.device
) -> Iterator[Batch]:
    """Endless batches on `device`, made by so many processes, or in this one if by none."""
    loader = DataLoader(
        _Made(make, seed),
        batch_size=None,
        collate_fn=_as_made,
        num_workers=processes,
        prefetch_factor=WAITING_BATCHES if processes else None,
        pin_memory=device.type == "cuda",
    )
    return (on_device(batch, device) for batch in loader)
