"""Adds encoder blocks to trained weights without changing what the encoder computes.

Chen et al., "Net2Net", 2016: a block whose branches give zero is the identity beside its residual
connection. The value projection is zero rather than what follows it, so that gradients reach it.
"""

from __future__ import annotations

from collections.abc import Container
from typing import Any

import torch
from torch import nn


@torch.no_grad()
def silence_new_blocks(model: nn.Module, loaded: Container[str]) -> list[str]:
    """Makes the identity of every SANM encoder block that has no weight among `loaded`.

    Returns the names of these blocks. One that changes the size has no residual connection and
    stays as it is.
    """
    silenced = []
    for name, block in model.named_modules():
        if type(block).__name__ != "EncoderLayerSANM" or block.in_size != block.size:
            continue
        if not any(f"{name}.{weight}" in loaded for weight in block.state_dict()):
            _silence(block)
            silenced.append(name)
    return silenced


def _silence(block: Any) -> None:
    attention = block.self_attn
    for parameter in (attention.linear_q_k_v.weight, attention.linear_q_k_v.bias):
        parameter[2 * block.size :].zero_()
    attention.linear_out.bias.zero_()
    block.feed_forward.w_2.weight.zero_()
    block.feed_forward.w_2.bias.zero_()
