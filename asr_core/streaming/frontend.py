"""Audio that arrives in pieces of any size to the windows of a streaming encoder."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_contract import ChunkSize
from asr_core.features import (
    LFR_SHIFT,
    LFR_WINDOW,
    NUM_MEL_BINS,
    StreamingFbankExtractor,
    num_lfr_frames,
)

PADDING = -1  # in `positions`: no row at all


@dataclass(frozen=True)
class Windows:
    """Encoder windows that became complete, and the audio features they are made of.

    A row is `LFR_WINDOW` frames of `fbank`; rows lie `LFR_SHIFT` frames apart. Positions count
    the rows of a stream from 1.

    Attributes:
        fbank: float32 [F, mel bins], log-mel energies; empty if there is no window.
        first_position: position of the row that starts at `fbank[0]`.
        positions: int32 [W, R], the rows of each window; 0 is a row of zeros, before the start or
            after the end of the stream, and -1 pads windows that have fewer rows.
    """

    fbank: NDArray[np.float32]
    first_position: int
    positions: NDArray[np.int32]

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self.positions)


def no_windows() -> Windows:
    """Return what a request without a complete window gives."""
    return Windows(np.empty((0, NUM_MEL_BINS), np.float32), 1, np.empty((0, 0), np.int32))


class StreamingFrontend:
    """The front end of one stream; its windows do not depend on how the audio was cut.

    Every `current` rows give a window that repeats the `overlap` rows before. The look-ahead of
    the last one, which no later window covers, is decoded at the end in a window of its own.

    Args:
        fbank: waveform to log-mel energies.
        chunk_size: how the stream is cut.

    Source: FunASR `runtime/python/onnxruntime/funasr_onnx/paraformer_online_bin.py`. There the
    context of the last window repeats its own rows where those number `right`; the same is done
    here, since the texts must agree. Unlike there, a last piece of less than 60 ms counts too,
    and with `left` 0 the last window does not repeat rows that have been counted.
    """

    def __init__(self, fbank: StreamingFbankExtractor, chunk_size: ChunkSize) -> None:
        self._extract = fbank.stream()
        self._chunk_size = chunk_size
        self._num_frames = 0  # extracted so far
        self._fbank = np.empty((0, fbank.num_mel_bins), np.float32)
        self._first_row = 0  # row that `_fbank` starts with, from 0
        self._num_windows = 0

    def accept(self, waveform: NDArray[np.float32], is_final: bool) -> Windows:
        """Take the next samples and return the windows they complete.

        Args:
            waveform: float32 [S], 16 kHz, in [-1, 1]; S may be 0.
            is_final: nothing follows; the returned windows cover all that is left.
        """
        self._append(self._extract(waveform))
        windows = self._full_windows()
        if is_final:
            windows += self._last_windows()
        return self._cut(windows)

    def _append(self, frames: NDArray[np.float32]) -> None:
        """Add the next frames."""
        if not len(frames):
            return
        if not self._num_frames:  # the first frame stands in for those before the start
            self._fbank = np.repeat(frames[:1], LFR_WINDOW // 2, axis=0)
        self._fbank = np.concatenate([self._fbank, frames])
        self._num_frames += len(frames)

    def _full_windows(self) -> list[list[int]]:
        """Return the positions of the windows that all rows are there for."""
        size = self._chunk_size
        rows = self._first_row + (len(self._fbank) - LFR_WINDOW) // LFR_SHIFT + 1
        windows = []
        while len(self._fbank) and rows >= (self._num_windows + 1) * size.current:
            self._num_windows += 1
            end = self._num_windows * size.current
            windows.append([max(position, 0) for position in _range(end - size.window, end)])
        return windows

    def _last_windows(self) -> list[list[int]]:
        """Return the positions of the windows that cover what the full ones have not counted."""
        size = self._chunk_size
        total = num_lfr_frames(self._num_frames)
        if total == 0:
            return []
        missing = (total - self._first_row - 1) * LFR_SHIFT + LFR_WINDOW - len(self._fbank)
        last = np.repeat(self._fbank[-1:], max(missing, 0), axis=0)
        self._fbank = np.concatenate([self._fbank, last])
        done = self._num_windows * size.current
        before = [max(position, 0) for position in _range(done - size.overlap, done)]
        fresh = _range(done, total)
        if fresh and len(fresh) + size.right <= size.current:
            return [before + fresh]
        windows = []
        if fresh:
            rows = before + fresh
            windows.append(rows + [0] * (size.window - len(rows)))
            tail = fresh[size.current - size.right :]
        else:  # the stream ended with a full window
            rows = before
            tail = rows[size.left :]
        context = rows[-size.left :] if size.left else []
        return [*windows, context + tail]

    def _cut(self, windows: list[list[int]]) -> Windows:
        """Return the windows with their frames, and drop the frames that no later one needs."""
        width = max(map(len, windows), default=0)
        positions = np.full((len(windows), width), PADDING, np.int32)
        for target, rows in zip(positions, windows, strict=True):
            target[: len(rows)] = rows
        fbank = self._fbank if windows else self._fbank[:0]
        cut = Windows(fbank, self._first_row + 1, positions)
        done = self._num_windows * self._chunk_size.current
        needed = max(done - self._chunk_size.overlap, 0)
        self._fbank = self._fbank[(needed - self._first_row) * LFR_SHIFT :]
        self._first_row = needed
        return cut


def _range(start: int, stop: int) -> list[int]:
    """Return the positions, from 1, of the rows `start` to before `stop`, which count from 0."""
    return list(range(start + 1, stop + 1))
