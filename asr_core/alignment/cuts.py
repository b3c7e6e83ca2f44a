"""Where a long text and its frames can be cut, such that both halves belong to each other.

What each frame's best token spells is compared with the text: a run of tokens that occurs in both
as often is the same place. Work and memory of an alignment are those of its pieces, so a recording
of hours costs as many times more as it is longer.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from asr_core.sensevoice.ctc import CtcToken

# Runs of tokens that are sought, the longest first: short ones may be the same by chance.
_RUNS = (16, 8, 5, 3, 2)


@dataclass(frozen=True)
class Piece:
    """Frames [start_frame, end_frame), and the tokens [first, last) of the text in them."""

    start_frame: int
    end_frame: int
    first: int
    last: int

    @property
    def cells(self) -> int:
        """What its alignment takes: frames times tokens."""
        return (self.end_frame - self.start_frame) * (self.last - self.first)


def cut(
    heard: Sequence[CtcToken],
    num_frames: int,
    text: Sequence[int],
    word_begins: Sequence[int],
    max_cells: int,
) -> Iterator[Piece]:
    """Yield pieces in order, each with at most so many cells where the two can be cut.

    Args:
        heard: each frame's best tokens, collapsed.
        num_frames: of the recording.
        text: tokens of the text.
        word_begins: indices of the tokens with which words begin, in order: where it may be cut.
        max_cells: of a piece.
    """
    waiting = [(Piece(0, num_frames, 0, len(text)), 0, len(heard))]
    while waiting:
        piece, begin, end = waiting.pop()
        found = None
        if piece.cells > max_cells:
            ids = [token.token_id for token in heard[begin:end]]
            found = _place(ids, text[piece.first : piece.last], word_begins, piece.first)
        if found is None:
            yield piece
            continue
        index, token = begin + found[0], piece.first + found[1]
        # In the middle of the silence before the token, if there is one.
        before = heard[index - 1].end_frame
        frame = (before + heard[index].start_frame + 1) // 2
        left = Piece(piece.start_frame, frame, piece.first, token)
        right = Piece(frame, piece.end_frame, token, piece.last)
        waiting += [(right, index, end), (left, begin, index)]


def _place(
    heard: Sequence[int], text: Sequence[int], word_begins: Sequence[int], offset: int
) -> tuple[int, int] | None:
    """Return indices of the same token in both, near the middle, behind others that match."""
    for length in _RUNS:
        pairs = _increasing(_matches(heard, text, length))
        usable = []
        for place, (i, j) in enumerate(pairs):
            # Inside a run, so that what stands before the cut is certain, too.
            for step in range(1, length):
                where = bisect_left(word_begins, offset + j + step)
                if where < len(word_begins) and word_begins[where] == offset + j + step:
                    usable.append((abs(2 * (i + step) - len(heard)), place, i + step, j + step))
                    break
        if usable:
            _, _, i, j = min(usable)
            return i, j
    return None


def _matches(heard: Sequence[int], text: Sequence[int], length: int) -> list[tuple[int, int]]:
    """Return where runs begin that both have equally often: the first with the first, and so on."""
    places = [_runs(ids, length) for ids in (heard, text)]
    return sorted(
        pair
        for run, in_heard in places[0].items()
        if len(in_text := places[1].get(run, [])) == len(in_heard)
        for pair in zip(in_heard, in_text, strict=True)
    )


def _runs(ids: Sequence[int], length: int) -> dict[tuple[int, ...], list[int]]:
    places = defaultdict(list)
    for start in range(len(ids) - length + 1):
        places[tuple(ids[start : start + length])].append(start)
    return places


def _increasing(pairs: Sequence[tuple[int, int]]) -> list[tuple[int, int]]:
    """Return the longest part of the pairs, sorted by the first, that is so by the second."""
    ends: list[int] = []  # second of the last pair of the best row of each length
    lasts: list[int] = []  # index of that pair
    before: list[int] = []
    for index, (_, second) in enumerate(pairs):
        length = bisect_left(ends, second)
        before.append(lasts[length - 1] if length else -1)
        if length == len(ends):
            ends.append(second)
            lasts.append(index)
        else:
            ends[length], lasts[length] = second, index
    row: list[tuple[int, int]] = []
    index = lasts[-1] if lasts else -1
    while index >= 0:
        row.append(pairs[index])
        index = before[index]
    return row[::-1]
