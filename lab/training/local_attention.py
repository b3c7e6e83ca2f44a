"""Teaches the decoder's cross-attention to look where a token fires.

Nothing else ties it to a place: the decoder of FunASR's Paraformer has no position of its own, and
in a recording of several sentences a small one mixes up what sounds alike. The encoder's frames can
carry their position, and so can the tokens summed from them; this loss asks for it.
"""

from __future__ import annotations

from types import MethodType
from typing import Any

import torch
from torch import nn

NEAR_FRAMES = 16
"""Frames (60 ms) to either side of a token's own: four characters, as far as speech overlaps."""
LEAST_MASS = 1e-4


def _forward(
    layer: Any,
    inputs: torch.Tensor,
    memory: torch.Tensor,
    memory_mask: torch.Tensor,
    ret_attn: bool = False,
) -> torch.Tensor:
    """FunASR's cross-attention, which keeps its weights [batch, heads, tokens, frames].

    ret_attn: False is what FunASR's decoder layer asks for, and all that is supported.
    """
    query, key, value = layer.forward_qkv(inputs, memory)
    scores = torch.matmul(query * layer.d_k**-0.5, key.transpose(-2, -1))
    output: torch.Tensor
    output, layer.attn = layer.forward_attention(value, scores, memory_mask, ret_attn=True)
    return output


def _cross_attentions(model: nn.Module) -> list[Any]:
    return [m for m in model.modules() if type(m).__name__ == "MultiHeadedAttentionCrossAtt"]


def keep_attention(model: nn.Module) -> None:
    """Gives every cross-attention of `model` a forward that keeps its weights for the loss."""
    for layer in _cross_attentions(model):
        vars(layer)["forward"] = MethodType(_forward, layer)


def local_attention_loss(
    model: nn.Module, frames: torch.Tensor, counted: torch.Tensor
) -> torch.Tensor:
    """Mean of -log of the attention that falls within NEAR_FRAMES of each token's frame.

    Over the layers and heads of the last forward and the tokens `counted` [batch, tokens] (bool);
    frames: [batch, tokens].
    """
    losses = []
    for layer in _cross_attentions(model):
        attention, layer.attn = layer.attn, None
        position = torch.arange(attention.size(-1), device=attention.device)
        near = (position - frames[:, :, None]).abs() <= NEAR_FRAMES
        mass = (attention.float() * near[:, None]).sum(-1).clamp(min=LEAST_MASS)
        logs = -mass.log().mean(1)
        losses.append((logs * counted).sum() / counted.sum().clamp(min=1))
    return torch.stack(losses).mean()
