"""The windows in which FunASR's streaming runtime encodes a recording, for training on them.

With chunk_size [5, 10, 5] the runtime gives its encoder 20 frames for every 10 new ones: 5 of
context, 10 of its own and 5 of look-ahead, each window encoded by itself. Before the first
chunk stand 10 frames of zeros, 5 of which belong to the first window's own. The last chunk is cut
as `funasr_onnx.paraformer_online_bin.Paraformer.add_overlap_chunk` does, repeated frames included.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import torch

CONTEXT, CHUNK, LOOK_AHEAD = 5, 10, 5
WINDOW = CONTEXT + CHUNK + LOOK_AHEAD
LEADING_ZEROS = 5
"""Frames of zeros that the first window owns."""
ZERO_FRAME = -1

Indices = npt.NDArray[np.int64]


def window_sources(frames: int, ends_with_cache: bool) -> list[Indices]:
    """Which frame of a recording, or ZERO_FRAME, stands where in each window.

    ends_with_cache: the recording ended with a piece too short for a frame, and the runtime
        encodes what it kept; only for a number of frames that fills its chunks.
    """
    last = frames % CHUNK or (0 if ends_with_cache and frames else CHUNK)
    whole = (frames - last) // CHUNK
    windows = [np.arange(CHUNK * w - 10, CHUNK * w + 10) for w in range(whole)]
    if last <= CHUNK - LOOK_AHEAD:
        windows.append(np.arange(frames - last - 10, frames))
    else:
        padding = np.full(CHUNK - last, ZERO_FRAME)
        windows.append(np.concatenate([np.arange(frames - last - 10, frames), padding]))
        rest = last - LOOK_AHEAD
        windows.append(
            np.concatenate([np.arange(frames - CONTEXT, frames), np.arange(frames - rest, frames)])
        )
    return [np.maximum(window, ZERO_FRAME) for window in windows]


class WindowPlan(NamedTuple):
    """Which frames of a batch of recordings stand in which window; made before the features are.

    frames: [windows, 20], of the recording, ZERO_FRAME where nothing is; lengths: [windows].
    recordings: [windows], whose each is.
    first: [recordings + 1], where the windows of each recording begin among all.
    own: [recordings, frames], position of each owned frame among the windows' frames laid end to
        end, in order of time; the first LEADING_ZEROS are zeros. -1 past the recording's end.
    most: windows of the recording that has most.
    """

    frames: torch.Tensor
    lengths: torch.Tensor
    recordings: torch.Tensor
    first: torch.Tensor
    own: torch.Tensor
    most: int


def plan_windows(lengths: Sequence[int], ends_with_cache: bool = False) -> WindowPlan:
    """The windows of recordings of so many frames."""
    sources: list[Indices] = []
    owners: list[int] = []
    own: list[list[int]] = []
    first = [0]
    for row, frames in enumerate(lengths):
        cut = window_sources(frames, ends_with_cache)
        own.append([])
        for window in cut:
            start = WINDOW * len(sources)
            end = min(len(window), CONTEXT + CHUNK)
            own[-1] += range(start + CONTEXT, start + end)
            sources.append(window)
        owners += [row] * len(cut)
        first.append(len(sources))
    index = np.full((len(sources), WINDOW), ZERO_FRAME)
    for row_index, window in zip(index, sources, strict=True):
        row_index[: len(window)] = window
    own_index = torch.full((len(own), max(map(len, own))), -1)
    for own_row, positions in zip(own_index, own, strict=True):
        own_row[: len(positions)] = torch.tensor(positions)
    return WindowPlan(
        torch.from_numpy(index),
        torch.tensor([len(window) for window in sources]),
        torch.tensor(owners),
        torch.tensor(first),
        own_index,
        most=int(np.diff(first).max()),
    )


def cut_windows(features: torch.Tensor, plan: WindowPlan) -> torch.Tensor:
    """Windows [windows, 20, size] of the recordings [batch, frames, size], zeros where nothing."""
    gathered = features[plan.recordings[:, None], plan.frames.clamp(min=0)]
    return gathered * (plan.frames >= 0)[:, :, None]


def own_frames(values: torch.Tensor, plan: WindowPlan) -> torch.Tensor:
    """Values [windows, 20, ...] of the owned frames [recordings, frames, ...], else zero."""
    flat = values.flatten(0, 1)
    chosen = flat[plan.own.clamp(min=0)]
    mask = plan.own >= 0
    return chosen * mask.view(*mask.shape, *[1] * (chosen.dim() - 2))
