"""Which requests should share one length, so that a batcher of equal shapes can join them."""

from __future__ import annotations

from collections.abc import Sequence


def group_by_length(
    lengths: Sequence[int], max_padding: float, max_frames: int | None = None
) -> list[list[int]]:
    """Group requests of similar length; each group is to be padded to its longest member.

    Taken from the longest down, a request joins a group as long as padding makes up at most
    `max_padding` of the group's padded frames.

    Args:
        lengths: length of each request, in frames, at least 1.
        max_padding: 0 (only equal lengths share a group) to below 1.
        max_frames: of a group of several, padding included; None for any number.

    Returns:
        Groups of indices into `lengths`, shortest group first: the quick answers leave first.

    Raises:
        ValueError: `max_padding` is outside [0, 1).
    """
    if not 0 <= max_padding < 1:
        raise ValueError(f"max_padding: expected 0 <= max_padding < 1, got {max_padding}")
    groups: list[list[int]] = []
    longest = filled = 0
    for index in sorted(range(len(lengths)), key=lambda i: -lengths[i]):
        length = lengths[index]
        padded = longest * (len(groups[-1]) + 1) if groups else 0
        has_room = bool(groups) and (max_frames is None or padded <= max_frames)
        if has_room and padded - (filled + length) <= max_padding * padded:
            groups[-1].append(index)
            filled += length
        else:
            groups.append([index])
            longest = filled = length
    return groups[::-1]
