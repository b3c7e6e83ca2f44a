"""Live audio piece by piece: from what a caller has to 16 kHz mono float32, and a bounded queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
import soxr
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

from ..audio.waveform import RESAMPLING_QUALITY, Waveform, checked_rate, mix_down, scale_array
from ..errors import AudioError

LiveAudio: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]

MAX_PIECE_S = 5  # of a long array, converted at a time
_MAX_CHANNELS = 64  # an array with more columns than rows, and than this, is transposed


def live_frames(audio: LiveAudio) -> NDArray[np.float32]:
    """Return live audio as [samples] float32, mono, in [-1, 1].

    Args:
        audio: bytes of 16-bit little-endian mono samples, or an array [samples] or
            [samples, channels] as `asr_client.audio.load_audio` takes it. It may be empty.

    Raises:
        AudioError: half a sample, wrong shape, NaN or infinity, unscaled numbers.
    """
    if isinstance(audio, (bytes, bytearray, memoryview)):
        data = bytes(audio)
        if len(data) % 2:
            raise AudioError(f"expected whole 16-bit samples; got {len(data)} bytes")
        return scale_array(np.frombuffer(data, "<i2"))
    if not hasattr(audio, "__array__"):
        raise AudioError(
            f"expected bytes of 16-bit samples or an array; got {type(audio).__name__}"
        )
    array = np.asarray(audio)
    if array.ndim == 2 and array.shape[1] > max(array.shape[0], _MAX_CHANNELS):
        raise AudioError(
            f"expected shape [samples, channels]; got {array.shape}, which looks transposed"
        )
    return mix_down(scale_array(array))


class StreamResampler:
    """Resamples a stream to 16 kHz, in pieces of any size; the rate may change on the way.

    The pieces joined are what resampling the whole at once gives. Output lags behind input by
    the filter's delay (some ms), so a piece may give nothing yet; `flush` gives the rest.
    """

    def __init__(self) -> None:
        self._rate = SAMPLE_RATE
        self._resampler: soxr.ResampleStream | None = None

    def convert(self, frames: NDArray[np.float32], sample_rate: int) -> Iterator[Waveform]:
        """Yield [samples] float32 at 16 kHz, at most about `MAX_PIECE_S` at a time.

        Args:
            frames: [samples] float32.
            sample_rate: of `frames`, in Hz.

        Raises:
            AudioError: the rate makes no sense.
        """
        rate = checked_rate(sample_rate)
        if rate != self._rate:
            yield self.flush()
            self._rate = rate
            if rate != SAMPLE_RATE:
                self._resampler = soxr.ResampleStream(
                    rate, SAMPLE_RATE, 1, dtype="float32", quality=RESAMPLING_QUALITY
                )
        step = MAX_PIECE_S * rate
        for first in range(0, len(frames), step):
            piece = np.ascontiguousarray(frames[first : first + step])
            yield piece if self._resampler is None else self._resampler.resample_chunk(piece)

    def flush(self) -> Waveform:
        """Return what the filter still holds, [samples] float32 at 16 kHz, and begin anew."""
        tail = np.zeros(0, np.float32)
        if self._resampler is not None:
            tail = self._resampler.resample_chunk(tail, last=True)
        self._resampler, self._rate = None, SAMPLE_RATE
        return tail


class Outbox:
    """Audio that waits to be sent, first in, first out.

    What waits is joined: a sender that falls behind makes fewer and larger requests.
    """

    def __init__(self) -> None:
        self._pieces: deque[Waveform] = deque()
        self.samples = 0

    def put(self, piece: Waveform) -> None:
        """Add [samples] float32; copied, because callers reuse their buffers."""
        if piece.size:
            self._pieces.append(piece.copy())
            self.samples += piece.size

    def take(self, limit: int) -> Waveform:
        """Remove and return at most `limit` samples."""
        taken: list[Waveform] = []
        room = limit
        while self._pieces and room:
            piece = self._pieces.popleft()
            if piece.size > room:
                self._pieces.appendleft(piece[room:])
                piece = piece[:room]
            taken.append(piece)
            room -= piece.size
        self.samples -= limit - room
        return np.concatenate(taken) if taken else np.zeros(0, np.float32)

    def clear(self) -> None:
        """Forget all."""
        self._pieces.clear()
        self.samples = 0
