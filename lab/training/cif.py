"""Continuous integrate-and-fire as one matrix product, for training without a time loop."""

from __future__ import annotations

import torch


def integrate(alphas: torch.Tensor, hidden: torch.Tensor, tokens: int) -> torch.Tensor:
    """Acoustic embeddings [batch, tokens, width] of frames [batch, frames, width].

    alphas: [batch, frames], non-negative, scaled so that each row sums to its number of
    tokens. Frame t spans [C(t-1), C(t)] of the running sum C; token k owns [k, k+1]; the
    weight of t in k is the length of their overlap (Dong and Xu, "CIF", 2020, section 3).
    """
    ends = torch.cumsum(alphas.double(), dim=1)
    starts = ends - alphas.double()
    token = torch.arange(tokens, dtype=torch.float64, device=alphas.device)[None, :, None]
    overlap = torch.minimum(ends[:, None], token + 1) - torch.maximum(starts[:, None], token)
    return torch.matmul(overlap.clamp(min=0).to(hidden.dtype), hidden)


def length_mask(lengths: torch.Tensor, size: int) -> torch.Tensor:
    """Boolean mask [batch, size], true before each length."""
    return torch.arange(size, device=lengths.device)[None] < lengths[:, None]


def firing_frames(alphas: torch.Tensor, tokens: int) -> torch.Tensor:
    """Frame in which the sum of `alphas` [batch, frames] reaches 1, 2, ..., `tokens`.

    int64 [batch, tokens]; the last frame for what it never reaches.
    """
    sums = torch.cumsum(alphas.detach().double(), dim=1)
    due = torch.arange(1, tokens + 1, dtype=torch.float64, device=sums.device) - 1e-6
    return torch.searchsorted(sums, due.expand(len(sums), -1).contiguous()).clamp(
        max=alphas.size(1) - 1
    )
