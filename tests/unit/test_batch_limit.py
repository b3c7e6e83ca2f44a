"""Batches that take as long as asked for, learnt from those before."""

from __future__ import annotations

import pytest

from asr_core.batch_limit import BatchLimit


def cost_s(items: int, alone_s: float, each_s: float) -> float:
    """What a batch takes on a machine with a fixed cost per batch and one per item."""
    return alone_s + items * each_s


@pytest.mark.parametrize("scale", [0.02, 0.5, 1.0, 2.0, 20.0])
def test_batches_settle_at_the_largest_that_fit(scale):
    """Costs of the full-size model on two cores, and of faster and slower machines."""
    limit = BatchLimit(0.35, most=32)
    for _ in range(100):
        limit.observe(limit.items, cost_s(limit.items, 0.06 * scale, 0.09 * scale))
    items = limit.items
    assert items == 1 or cost_s(items - 1, 0.06 * scale, 0.09 * scale) <= 0.35
    assert items == 32 or cost_s(items + 1, 0.06 * scale, 0.09 * scale) > 0.35


def test_nothing_is_limited_before_a_batch_was_seen():
    assert BatchLimit(0.35, most=64).items == 64


def test_a_stall_is_forgotten():
    limit = BatchLimit(0.35, most=64)
    for _ in range(30):
        limit.observe(1, 0.002)
    limit.observe(1, 5.0)
    assert limit.items == 1
    for _ in range(60):
        limit.observe(1, 0.002)
    assert limit.items == 64
