"""A device that computes like the processor but is not it: what would fail on a GPU fails here.

Tensors on it say that they are on "meta" and keep their values beside them. An operation that
takes one of them and one of the processor's (numbers excepted) raises, as CUDA does.
"""

from __future__ import annotations

from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_flatten, tree_map

FAR = torch.device("meta")
_CROSSING = ("_to_copy", "copy_", "_local_scalar_dense", "ctc_loss")
"""What may take tensors of both; CTC's lengths stay with the host on CUDA, too."""


class FarTensor(torch.Tensor):
    """A tensor on FAR with its values in `near`."""

    near: torch.Tensor

    @staticmethod
    def __new__(cls, near):
        made = torch.Tensor._make_wrapper_subclass(
            cls, near.size(), strides=near.stride(), dtype=near.dtype, device=FAR
        )
        made.near = near
        return made

    def __repr__(self, *, tensor_contents=None):
        return f"FarTensor({self.near})"

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func}: a far tensor outside of FarDevice")


def _is_near(part: Any) -> bool:
    return isinstance(part, torch.Tensor) and not isinstance(part, FarTensor) and part.dim() > 0


class FarDevice(TorchDispatchMode):
    """Within it there is the device FAR."""

    def __enter__(self):
        self._tensor = torch.tensor

        def tensor(data, *, device=None, **options):
            # torch.tensor makes no values for "meta".
            made = self._tensor(data, **options)
            return made if device is None else made.to(device)

        torch.tensor = tensor
        return super().__enter__()

    def __exit__(self, *error):
        torch.tensor = self._tensor
        return super().__exit__(*error)

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        parts, _ = tree_flatten((args, kwargs))
        is_far = any(isinstance(part, FarTensor) for part in parts)
        name = func.overloadpacket.__name__
        if is_far and any(map(_is_near, parts)) and not any(one in name for one in _CROSSING):
            raise RuntimeError(f"{func}: tensors of two devices")
        device = kwargs.get("device")
        if device is not None:
            is_far = torch.device(device) == FAR
            kwargs["device"] = torch.device("cpu")
        near_args, near_kwargs = tree_map(
            lambda part: part.near if isinstance(part, FarTensor) else part, (args, kwargs)
        )
        result = func(*near_args, **near_kwargs)
        if name.endswith("_") and not name.startswith("_"):
            return args[0]
        if not is_far:
            return result
        return tree_map(lambda r: FarTensor(r) if isinstance(r, torch.Tensor) else r, result)
