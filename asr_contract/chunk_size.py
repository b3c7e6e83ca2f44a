"""How a stream is cut for the encoder of streaming Paraformer."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class ChunkSize:
    """FunASR's `chunk_size`, in encoder rows of 60 ms.

    Each encoder window is `left + current + right` rows; only the middle ones count, the others
    are their context. A window comes every `current` rows; its text appears `right` rows late.

    Attributes:
        left: rows of context before; 0 or `right`.
        current: new rows of each window.
        right: look-ahead.
    """

    left: int
    current: int
    right: int

    @property
    def overlap(self) -> int:
        """Rows that a window shares with the one before."""
        return self.left + self.right

    @property
    def window(self) -> int:
        """Rows of a window."""
        return self.left + self.current + self.right


DEFAULT_CHUNK_SIZE = ChunkSize(5, 10, 5)
CHUNK_SIZES = (DEFAULT_CHUNK_SIZE, ChunkSize(0, 10, 5), ChunkSize(0, 8, 4))


def parse_chunk_size(text: str) -> ChunkSize:
    """Read "5,10,5"; brackets and spaces are allowed.

    Raises:
        ValueError: it is not one of `CHUNK_SIZES`.
    """
    for size in CHUNK_SIZES:
        if text.replace(" ", "").strip("[]") == f"{size.left},{size.current},{size.right}":
            return size
    names = " or ".join(f'"{size.left},{size.current},{size.right}"' for size in CHUNK_SIZES)
    raise ValueError(f"chunk_size: expected {names}, got {text!r}")
