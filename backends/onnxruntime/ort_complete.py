"""Fills in what a model's configuration leaves out.

As the C++ backend does (release 24.10, src/onnxruntime.cc, AutoCompleteConfig): only where the
inputs or the outputs are missing; then `max_batch_size` and the scheduler too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ort_signature import Signature, TensorSpec

# What Triton gives a model that can batch and does not say how much
# (--backend-config=…,default-max-batch-size, which a Python-based backend cannot see).
DEFAULT_MAX_BATCH_SIZE = 4


def needs_completion(config: dict[str, Any]) -> bool:
    """Tell whether inputs or outputs are missing."""
    return not (config.get("input") or config.get("batch_input")) or not config.get("output")


def complete_config(config: dict[str, Any], signature: Signature) -> list[str]:
    """Complete `config` in place.

    Args:
        config: the model's configuration as Triton's JSON.
        signature: the graph's.

    Returns:
        What was filled in, for the log.

    Raises:
        ValueError: `max_batch_size` is set but the graph cannot batch, or a tensor has a type
            that Triton does not have.
    """
    filled = []
    if signature.supports_batching:
        if not config.get("max_batch_size"):
            config["max_batch_size"] = DEFAULT_MAX_BATCH_SIZE
            filled.append(f"max_batch_size {DEFAULT_MAX_BATCH_SIZE}")
        scheduled = "sequence_batching" in config or "dynamic_batching" in config
        if config["max_batch_size"] > 1 and not scheduled:
            config["dynamic_batching"] = {}
            filled.append("dynamic_batching")
    elif config.get("max_batch_size"):
        fixed = [
            f"'{tensor.name}' {list(tensor.shape)}"
            for tensor in (*signature.inputs.values(), *signature.outputs.values())
            if tensor.shape[:1] != (-1,)
        ]
        raise ValueError(
            f"expected a dynamic first dimension of every input and output with max_batch_size "
            f"{config['max_batch_size']}, got {', '.join(fixed)}"
        )
    batching = bool(config.get("max_batch_size"))
    if not (config.get("input") or config.get("batch_input")):
        config["input"] = _entries(signature.inputs.values(), batching)
        filled.append(f"inputs {list(signature.inputs)}")
    if not config.get("output"):
        config["output"] = _entries(signature.outputs.values(), batching)
        filled.append(f"outputs {list(signature.outputs)}")
    return filled


def _entries(tensors: Iterable[TensorSpec], batching: bool) -> list[dict[str, Any]]:
    """Return configuration entries for tensors.

    A tensor of which nothing is left without the batch dimension gets dims [1], which is what
    clients send, and an empty reshape.

    Raises:
        ValueError: Triton has no name for a type.
    """
    entries = []
    for tensor in tensors:
        if tensor.data_type == "TYPE_INVALID":
            raise ValueError(f"'{tensor.name}': expected a type that Triton has, got another")
        dims = list(tensor.shape[1:] if batching else tensor.shape)
        entry: dict[str, Any] = {
            "name": tensor.name,
            "data_type": tensor.data_type,
            "dims": dims or [1],
        }
        if not dims and batching:
            entry["reshape"] = {"shape": []}
        entries.append(entry)
    return entries
