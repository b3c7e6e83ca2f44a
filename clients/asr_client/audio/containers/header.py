"""What a header of a file of samples says, and how each container is told."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal

from ..samples import PcmFormat

_LEAD_BYTES = 4
MAX_HEADER_BYTES = 1 << 20  # what stands before the samples


class NotUncompressed(ValueError):
    """The bytes are no file of uncompressed samples that can be read in order."""


@dataclass(frozen=True)
class Header:
    """What stands before samples.

    Attributes:
        format: of the samples; None for a codec.
        start: where the samples begin, in bytes from the header's beginning.
        size: of the samples in bytes, as the header says; None where it does not.
        chunks_end: to where the header says that chunks go, in bytes from the samples' end; 0 for
            no further than that.
        fmt: a WAV's `fmt ` chunk; empty for others.
    """

    format: PcmFormat | None
    start: int
    size: int | None
    chunks_end: int = 0
    fmt: bytes = field(default=b"", repr=False)

    @property
    def bytes_per_s(self) -> int:
        """How many bytes a second of the samples takes, 1 or more; of a codec as `fmt` says."""
        if self.format is None:
            return max(int.from_bytes(self.fmt[8:12], "little"), 1)
        return self.format.frame_bytes * max(self.format.sample_rate, 1)


def header_of(
    form: PcmFormat | None, start: int, size: int | None, file_end: int | None, fmt: bytes = b""
) -> Header:
    """Return a header of a container that says where it ends.

    Args:
        form: as in `Header`.
        start: as there.
        size: as there.
        file_end: where the header says that the file ends; None or a placeholder if it does not.
        fmt: as there.
    """
    behind = 0
    if size is not None and file_end is not None and not is_placeholder(file_end):
        behind = max(file_end - start - size, 0)
    return Header(form, start, size, behind, fmt)


def stated_size(size: int, overhead: int = 0) -> int | None:
    """Return the size of samples without what else a header counts; None for a placeholder."""
    return None if is_placeholder(size) else max(size - overhead, 0)


@dataclass(frozen=True)
class Container:
    """One kind of container.

    Attributes:
        name: for messages.
        pattern: how a file begins, strict enough to find one between samples.
        pattern_bytes: length of what it matches.
        anchor: bytes of each beginning that are quickly searched, `anchor_at` bytes into it.
        leads: the first four bytes of a beginning.
        read: (data, whether it is all) → the header; None if more bytes are needed.
        chunk_bytes: (what stands behind the samples, how far chunks are said to go, size of the
            samples) → bytes to skip, a chunk with its padding; 0 if these are samples.
        alignment: what the length of a chunk is padded to, in bytes.
        inner: chunks that are told between samples wherever they stand, as (name, what stands
            eight bytes behind its beginning).
    """

    name: str
    pattern: re.Pattern[bytes]
    pattern_bytes: int
    anchor: bytes
    anchor_at: int
    leads: tuple[bytes, ...]
    read: Callable[[bytes, bool], Header | None]
    chunk_bytes: Callable[[bytes, int, int], int]
    alignment: int = 2
    inner: tuple[tuple[bytes, bytes], ...] = ()

    @cached_property
    def _begun(self) -> re.Pattern[bytes]:
        """Four bytes with which a file or an inner chunk begins, or fewer of them at the end."""
        leads = [*self.leads, *(name for name, _ in self.inner)]
        begun = {lead[:size] for lead in leads for size in range(1, _LEAD_BYTES)}
        ends = [re.escape(lead) + rb"\Z" for lead in sorted(begun)]
        return re.compile(b"|".join([*map(re.escape, leads), *ends]), re.DOTALL)

    def find(self, data: bytes, end: int) -> int:
        """Return where in the data a file begins, before `end`; -1 for nowhere."""
        place = data.find(self.anchor)
        while place >= 0 and place - self.anchor_at < end:
            begin = place - self.anchor_at
            if begin >= 0 and self.pattern.match(data, begin):
                return begin
            place = data.find(self.anchor, place + 1)
        return -1

    def find_inner(self, data: bytes, end: int) -> tuple[int, int]:
        """Return where in the data a chunk begins, before `end`, and its length; -1 for nowhere."""
        for name, behind in self.inner:
            place = data.find(name, 0, end + 3)
            while place >= 0:
                if data.startswith(behind, place + 8):
                    size = int.from_bytes(data[place + 4 : place + 8], "little")
                    return place, 8 + size + size % 2
                place = data.find(name, place + 1, end + 3)
        return -1, 0

    def find_partial(self, data: bytes) -> int:
        """Return from where on the data may be the beginning of a beginning; its length if not."""
        found = self._begun.search(data, max(len(data) - self.pattern_bytes + 1, 0))
        return len(data) if found is None else found.start()


def is_placeholder(size: int) -> bool:
    """Return whether a size is what programs write that do not know it.

    All ones, or the largest signed number, or that less the headers; of 32 bits or 64.
    """
    return any(
        top - 0x1000 <= size < top or top // 2 - 0x1000 <= size <= top // 2 + 0x1000
        for top in (1 << 32, 1 << 64)
    )


def is_chunk_name(name: bytes) -> bool:
    """Return whether four bytes may be the name of a chunk."""
    return len(name) == 4 and all(32 <= byte < 127 for byte in name) and name[:1] != b" "


def trailing_chunk(
    order: Literal["little", "big"], trailers: frozenset[bytes]
) -> Callable[[bytes, int, int], int]:
    """Return `Container.chunk_bytes` for chunks that are padded to two bytes.

    Args:
        order: of the bytes of a chunk's size.
        trailers: names of chunks that stand there though no header counts them.
    """

    def chunk_bytes(data: bytes, chunks_end: int, size: int) -> int:
        for pad in (size % 2, 0):
            name = data[pad : pad + 4]
            length = int.from_bytes(data[pad + 4 : pad + 8], order)
            if name == b"data" and chunks_end:
                return pad + 8  # samples again
            if name in trailers or (is_chunk_name(name) and pad + 8 + length <= chunks_end):
                return pad + 8 + length + length % 2
        return 0

    return chunk_bytes
