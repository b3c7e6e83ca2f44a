"""Dropout from random bytes: torch's Bernoulli takes a fifth of a training step on a CPU."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn


class ByteDropout(nn.Module):
    """Like nn.Dropout, with the probability rounded to 1/256."""

    def __init__(self, probability: float, seed: int) -> None:
        super().__init__()
        self._threshold = round(probability * 256)
        self._rng = np.random.Generator(np.random.SFC64(seed))

    def forward(self, inputs: torch.Tensor) -> torch.Tensor:
        """Inputs of any shape and float type; the same shape and type comes back."""
        if not self.training or self._threshold == 0:
            return inputs
        random_bytes = np.frombuffer(self._rng.bytes(inputs.numel()), np.uint8)
        kept = torch.from_numpy(random_bytes >= self._threshold).view(inputs.shape)
        return inputs * kept.to(inputs.dtype).mul_(256 / (256 - self._threshold))


def use_byte_dropout(model: nn.Module, probability: float, seed: int = 0) -> None:
    """Replaces every nn.Dropout of `model`; weights and their names stay."""
    for index, module in enumerate(list(model.modules())):
        for name, child in list(module.named_children()):
            if isinstance(child, nn.Dropout):
                setattr(module, name, ByteDropout(probability, seed * 1000 + index))
