"""What a proof counts and measures."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass
class Figures:
    """Of one comparison of many rows; each kind of graph adds its own."""

    rows: int = 0

    def as_dict(self, prefix: str) -> dict[str, float]:
        """Return the figures with `prefix` before each name."""
        return {f"{prefix}_{name}": value for name, value in vars(self).items()}
