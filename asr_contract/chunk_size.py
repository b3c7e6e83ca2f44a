"""How a stream is cut for the encoder of streaming Paraformer."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

MAX_ROWS = 1_000  # of each part: a minute


class ChunkSize(NamedTuple):
    """FunASR's `chunk_size`, in encoder rows of 60 ms.

    Each encoder window is `left + current + right` rows; only the middle ones count, the others
    are their context. A window comes every `current` rows; its text appears `right` rows late.
    `str()` gives the form in which it is sent.

    Attributes:
        left: rows of context before (look-back); 0 or `right` with the models served here.
        current: new rows of each window; at least 1.
        right: look-ahead.
    """

    left: int
    current: int
    right: int

    def __str__(self) -> str:
        return ",".join(map(str, self))

    @property
    def overlap(self) -> int:
        """Rows that a window shares with the one before."""
        return self.left + self.right

    @property
    def window(self) -> int:
        """Rows of a window."""
        return self.left + self.current + self.right


DEFAULT_CHUNK_SIZE = ChunkSize(5, 10, 5)
CHUNK_SIZES = (DEFAULT_CHUNK_SIZE, ChunkSize(0, 10, 5), ChunkSize(0, 8, 4))  # what is served


def chunk_size_of(numbers: Iterable[int]) -> ChunkSize:
    """Return the chunk size of three whole numbers.

    Raises:
        ValueError: they are not three whole numbers of 0 to `MAX_ROWS`, the second of them above 0.
    """
    if isinstance(numbers, str) or not isinstance(numbers, Iterable):
        raise _error(numbers)
    values = tuple(numbers)
    whole = [n for n in values if type(n) is int and 0 <= n <= MAX_ROWS]
    if len(values) != 3 or len(whole) != 3 or not whole[1]:
        raise _error(values)
    return ChunkSize(*whole)


def parse_chunk_size(text: str) -> ChunkSize:
    """Read "5,10,5"; brackets and spaces are allowed.

    Raises:
        ValueError: it is something else.
    """
    try:
        return chunk_size_of(int(number) for number in text.strip("[] ").split(","))
    except ValueError:
        raise _error(text) from None


def parse_served_chunk_size(text: str) -> ChunkSize:
    """Read a chunk size that streaming Paraformer is served with.

    Raises:
        ValueError: it is not one of `CHUNK_SIZES`.
    """
    try:
        size = parse_chunk_size(text)
    except ValueError:
        size = None
    if size not in CHUNK_SIZES:
        names = " or ".join(f'"{known}"' for known in CHUNK_SIZES)
        raise ValueError(f"chunk_size: expected {names}, got {text!r}")
    return size


def nearest_served_chunk_size(size: ChunkSize) -> ChunkSize:
    """Return the one of `CHUNK_SIZES` that differs least, summed over the three numbers."""
    return min(
        CHUNK_SIZES,
        key=lambda served: sum(abs(a - b) for a, b in zip(served, size, strict=True)),
    )


def _error(got: object) -> ValueError:
    return ValueError(
        "chunk_size: expected three whole numbers of 60 ms, look-back, chunk and look-ahead, such "
        f"as 5,10,5; got {got!r}"
    )
