"""Rows for an encoder that knows no lengths: those of one length run together, unpadded."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from asr_core.features.frontend import Features
from asr_core.features.grouping import group_by_length


def encode_equal_lengths(
    requests: Sequence[Sequence[Features] | ValueError],
    encode: Callable[[NDArray[np.float32]], NDArray[np.float32]],
    max_batch_size: int,
) -> list[list[NDArray[np.float32]] | Exception]:
    """Encode the rows of several requests.

    Args:
        requests: the features of each one's rows, float32 [T_i, D], or why it is refused.
        encode: features [B, T, D] to an output [B, ...].
        max_batch_size: rows in one run.

    Returns:
        For each request the outputs of its rows, or why it is refused. After a run that fails
        nothing more is run, and requests with rows that have no output get its exception.
    """
    rows = [row for request in requests if not isinstance(request, ValueError) for row in request]
    outputs: dict[int, NDArray[np.float32]] = {}
    failure: Exception | None = None
    try:
        for group in group_by_length([len(row) for row in rows], max_padding=0):
            for start in range(0, len(group), max_batch_size):
                members = group[start : start + max_batch_size]
                found = encode(np.stack([rows[index] for index in members]))
                outputs.update(zip(members, found, strict=True))
    except Exception as error:
        failure = error
    answers: list[list[NDArray[np.float32]] | Exception] = []
    first = 0
    for request in requests:
        if isinstance(request, ValueError):
            answers.append(request)
            continue
        own = range(first, first + len(request))
        first = own.stop
        if failure is not None and not all(index in outputs for index in own):
            answers.append(failure)
        else:
            answers.append([outputs[index] for index in own])
    return answers
