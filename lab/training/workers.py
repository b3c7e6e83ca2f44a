"""Several processes that train one model: each has batches of its own, gradients are averaged.

    torchrun --nproc-per-node 2 --module lab.training.train_sensevoice --minutes 45

Two processes with a thread each are faster than one with two threads: the layers are small.
Without torchrun everything here does nothing.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager

import torch
import torch.distributed as dist


def join_workers() -> int:
    """Meets the other processes that torchrun started; returns this one's number, 0 if alone."""
    if "WORLD_SIZE" in os.environ and not dist.is_initialized():
        dist.init_process_group("gloo")
    return dist.get_rank() if dist.is_initialized() else 0


@contextmanager
def first_worker_first() -> Iterator[None]:
    """Lets the first worker do what is inside before the others, which then find its files."""
    worker = join_workers()
    if worker:
        dist.barrier()
    yield
    if dist.is_initialized() and not worker:
        dist.barrier()


def average_over_workers(parameters: Iterable[torch.nn.Parameter], elapsed_s: float) -> float:
    """Replaces the gradients by their means over the processes; returns the mean of `elapsed_s`.

    With the same elapsed time the processes keep the same learning rate and end together.
    """
    if not dist.is_initialized():
        return elapsed_s
    gradients = [p.grad for p in parameters if p.grad is not None]
    clock = torch.tensor([elapsed_s])
    flat = torch.cat([*(gradient.flatten() for gradient in gradients), clock])
    dist.all_reduce(flat)
    flat /= dist.get_world_size()
    means = flat[:-1].split([gradient.numel() for gradient in gradients])
    for gradient, mean in zip(gradients, means, strict=True):
        gradient.copy_(mean.view_as(gradient))
    return float(flat[-1])
