"""Live audio piece by piece: from what a caller has to 16 kHz mono float32, and a bounded queue."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

from ..audio.containers import HEADERS, SampleStream
from ..audio.containers.stream import Samples
from ..audio.conversion import Converter
from ..audio.raw import begins_as_file
from ..audio.samples import PcmFormat, scale_array
from ..audio.uncompressed import Frames
from ..audio.waveform import Waveform, checked_rate
from ..errors import AudioError

LiveAudio: TypeAlias = bytes | bytearray | memoryview | NDArray[Any]

_BEGINNING_BYTES = 16
_MAX_CHANNELS = 64  # an array with more columns than rows, and than this, is transposed


class LiveReader:
    """Turns live audio into waveforms for the models; pieces may have any size.

    Bytes are 16-bit little-endian mono samples, or files of samples whose headers say otherwise,
    one or several behind each other: some clients send a WAV, or every piece as one.
    """

    def __init__(self) -> None:
        self._bytes: SampleStream | None = None
        self._rate = SAMPLE_RATE
        self._has_header = False
        self._converter = Converter()
        self._cut_off: list[str] = []

    @property
    def warnings(self) -> list[str]:
        """What is wrong with the audio so far, for the caller."""
        return [*self._cut_off, *self._converter.warnings]

    def check(self, audio: LiveAudio, sample_rate: int) -> None:
        """Refuse bytes that are no samples, before `read` takes any of them.

        Raises:
            AudioError: they begin as a file of a codec does, or are half a sample more, where no
                header says what a sample is.
        """
        if not isinstance(audio, (bytes, bytearray, memoryview)):
            return
        beginning = bytes(audio[:_BEGINNING_BYTES])
        if beginning and (self._bytes is None or sample_rate != self._rate):
            self._has_header = beginning.startswith(HEADERS)
            if begins_as_file(beginning) and not self._has_header:
                raise AudioError(
                    "expected samples; got audio that begins as a file of a codec does (send "
                    "files to the file API)"
                )
        if not self._has_header and len(audio) % 2:
            raise AudioError(f"expected whole 16-bit samples; got {len(audio)} bytes")

    def read(self, audio: LiveAudio, sample_rate: int) -> Iterator[Waveform]:
        """Yield what the next audio gives, [samples] float32 at 16 kHz, some seconds at a time.

        Args:
            audio: bytes, or an array [samples] or [samples, channels] as
                `asr_client.audio.load_audio` takes it. It may be empty.
            sample_rate: in Hz, of an array and of bytes without a header.

        Raises:
            AudioError: wrong shape, NaN or infinity, unscaled numbers, a header of a codec.
        """
        if isinstance(audio, (bytes, bytearray, memoryview)):
            rate = checked_rate(sample_rate)
            if self._bytes is None or rate != self._rate:
                yield from self._flush_bytes()
                self._bytes, self._rate = SampleStream(PcmFormat("s16le", rate, 1)), rate
            yield from self._converted(self._bytes.feed(bytes(audio)))
        else:
            yield from self._flush_bytes()
            yield from self._converter.accept(live_frames(audio), sample_rate)

    def finish(self) -> Iterator[Waveform]:
        """Yield what was held back."""
        yield from self._flush_bytes()
        yield from self._converter.finish()

    def _flush_bytes(self) -> Iterator[Waveform]:
        stream, self._bytes = self._bytes, None
        if stream is not None:
            yield from self._converted(stream.finish())
            if (missing_s := stream.missing_s()) > 0:
                self._cut_off.append(
                    f"the audio ends {missing_s:.1f} s before its header says that it does: it "
                    "may be cut off"
                )
            elif stream.ends_within:
                self._cut_off.append(
                    f"the audio ends within a {stream.ends_within}: it may be cut off"
                )

    def _converted(self, found: Samples) -> Iterator[Waveform]:
        for frames, rate in map(_decoded, found):
            yield from self._converter.accept(frames, rate)


def _decoded(piece: tuple[Any, bytes]) -> Frames:
    """Return the frames of samples behind a header."""
    header, samples = piece
    if header.format is None:
        raise AudioError(
            "expected uncompressed samples; got a header of a codec (send files to the file API)"
        )
    return header.format.decode(samples), header.format.sample_rate


def live_frames(audio: NDArray[Any]) -> NDArray[np.float32]:
    """Return an array of live audio as [samples, channels] float32 in [-1, 1].

    Raises:
        AudioError: wrong shape, or numbers without an obvious full scale.
    """
    if not hasattr(audio, "__array__"):
        raise AudioError(
            f"expected bytes of 16-bit samples or an array; got {type(audio).__name__}"
        )
    array = np.asarray(audio)
    if array.ndim not in (1, 2):
        raise AudioError(f"expected shape [samples] or [samples, channels]; got {array.shape}")
    if array.ndim == 2 and array.shape[1] > max(array.shape[0], _MAX_CHANNELS):
        raise AudioError(
            f"expected shape [samples, channels]; got {array.shape}, which looks transposed"
        )
    frames = scale_array(array)
    return frames[:, None] if frames.ndim == 1 else frames


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
        """Remove and return at most `limit` samples, [samples] float32."""
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
