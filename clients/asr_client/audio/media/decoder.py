"""Decodes one file of any length, block by block."""

from __future__ import annotations

import asyncio
import contextlib
import os
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Protocol

import numpy as np

from asr_contract import SAMPLE_RATE

from ...errors import AudioError
from ..containers import NotUncompressed
from ..conversion import Channels, Converter
from ..raw import RawFormat, raw_format, raw_format_of_name
from ..uncompressed import Frames, UncompressedFile, check_own_rate
from ..waveform import Pcm, Waveform
from .bounds import Bounds
from .decoding import Decoding
from .joints import JoinedDecoding, find_joints
from .places import PLACES
from .source import MediaSource, file_of, name_of

BLOCK_SAMPLES = SAMPLE_RATE  # one second

STALL_TIMEOUT_S = 60.0  # without a sample; ffmpeg gives hundreds of seconds of audio in one
MAX_DURATION_S = 24 * 3600.0

_MIN_BYTES_PER_S = 10  # of a file that is what it says; silence in Opus takes 30


class MediaDecoder:
    """Decodes the first audio track of a file of any container, block by block.

        async with MediaDecoder("talk.mp4") as media:
            async for waveform in media: ...

    Each block is [BLOCK_SAMPLES] float32, 16 kHz, mono, in [-1, 1] (lossy formats may overshoot
    a little); the last may be shorter. The n-th sample is at n / 16000 s of the file, as a player
    counts: where the audio begins after the picture, or has a gap, there is silence.

    What can be decoded of a file that is cut off or damaged is given, and `warnings` says so at
    the end; only a file without a single sample is an error.

    Uncompressed files are read here, all others by ffmpeg. It waits while the blocks are not
    taken, so memory is bounded whatever the length; what it may take of the machine is in
    `bounds`, how many run at once in `places`. It is killed when the `async with` is left in any
    way. When this process itself is killed, ffmpeg ends at its next write, because nobody reads
    its pipe any more.

    Attributes:
        name: what the source is called in messages.
        duration_s: what the file says its duration is, in seconds; for a progress bar only.
        decoded_s: how much has been given so far, in seconds.
        warnings: what was wrong with the file; complete after the last block.

    Args:
        source: a path, the bytes of a file, a binary file object, or `Pcm`. Bytes and file objects
            are written to a temporary file first, since many containers are not readable in order.
        channels: "mix" for the mean of all, the number of one (from 1), or "each": blocks are
            [BLOCK_SAMPLES, channels] then.
        raw: the format of a file without a header; None to go by its name.
        file_name: what the file is called where it comes from, if `source` does not say.
        owner: whose file it is, who has a share of the decoders; "" is nobody.
        max_duration_s: a file that says that it is longer is refused at once, one that does not
            when this point is reached.
        stall_timeout_s: how long to wait for ffmpeg's next block.

    Raises:
        AudioError: on entering: no such file, not a regular one, empty, no audio or video, no
            audio track, a playlist, no ffmpeg, a sample rate that makes no sense, too long. While
            iterating: NaN, too long, no such channel, it takes too much to decode.
        DecoderFailed: ffmpeg stalled, crashed or was killed.
        Overloaded: too many others are decoded.
        StorageFull: there is no room for the temporary file.
    """

    def __init__(
        self,
        source: MediaSource | Pcm,
        *,
        channels: Channels = "mix",
        raw: RawFormat | None = None,
        file_name: str | None = None,
        owner: str = "",
        max_duration_s: float = MAX_DURATION_S,
        stall_timeout_s: float = STALL_TIMEOUT_S,
    ) -> None:
        if isinstance(source, Pcm):
            raw = raw_format(source)
            source = source.data
        self.duration_s: float | None = None
        self.decoded_s = 0.0
        self.warnings: list[str] = []
        self.name = name_of(source)
        self._source = source
        self._owner = owner
        self._raw = raw
        self._file_name = file_name or _file_name(source)
        self._converter = Converter(channels)
        self._max_duration_s = max_duration_s
        self._stall_timeout_s = stall_timeout_s
        self._cleanup = contextlib.AsyncExitStack()
        self._frames: _Frames | None = None

    async def __aenter__(self) -> MediaDecoder:
        async with contextlib.AsyncExitStack() as stack:
            path = await asyncio.to_thread(file_of, self._source, stack)
            self._frames = await asyncio.to_thread(self._open, path, stack)
            if self._frames is None:
                self._frames = await self._decoded(path, stack)
            self.duration_s = self._frames.duration_s
            self._check_claims(path.stat().st_size)
            self._cleanup = stack.pop_all()
        return self

    def _open(self, path: Path, stack: contextlib.AsyncExitStack) -> _ReadHere | None:
        """Open a file that is uncompressed; None for another, which needs a process."""
        try:
            file = stack.enter_context(path.open("rb"))
            if self._raw is None:
                self._raw = raw_format_of_name(self._file_name, file.read(16))
                file.seek(0)
            opened = UncompressedFile(file, self._raw.pcm if self._raw else None)
        except NotUncompressed:
            return None
        except OSError as error:
            raise AudioError(f"{self.name}: {error.strerror or error}") from error
        if opened.sample_rate is not None:
            check_own_rate(self.name, opened.sample_rate)
        return _ReadHere(opened)

    async def _decoded(self, path: Path, stack: contextlib.AsyncExitStack) -> _Frames:
        """Begin to decode a file, or the files that it was joined of."""
        joints = [] if self._raw else await asyncio.to_thread(find_joints, path)
        if joints:
            return JoinedDecoding(self.name, path, joints, self._decoding)
        return await stack.enter_async_context(self._decoding(path))

    @contextlib.asynccontextmanager
    async def _decoding(self, path: Path, share: float = 1.0) -> AsyncGenerator[Decoding, None]:
        """Decode a file, once there is a place for it.

        Args:
            path: absolute.
            share: of the processor time that a file of its size may take.
        """
        place = await PLACES.take(self._owner)
        try:
            bounds = Bounds.of_file(path, self._max_duration_s).shared(share)
            async with Decoding(
                self.name, path, place, self._raw, bounds, self._stall_timeout_s
            ) as decoding:
                yield decoding
        finally:
            place.release()

    def _check_claims(self, size: int) -> None:
        """Refuse what the file says of itself before work is spent on it."""
        duration_s = self.duration_s or 0.0
        # A claim that the bytes cannot hold is not believed; what is there will be counted.
        if duration_s > self._max_duration_s and size >= _MIN_BYTES_PER_S * duration_s:
            raise self._too_long(f" (it says {duration_s:.0f} s)")

    def _too_long(self, claim: str = "") -> AudioError:
        return AudioError(
            f"{self.name}: expected at most {self._max_duration_s:g} s; the file is longer{claim}"
        )

    async def __aexit__(self, *error: object) -> None:
        await self._cleanup.aclose()

    async def __aiter__(self) -> AsyncGenerator[Waveform, None]:
        kept: list[Waveform] = []
        samples = 0
        async with contextlib.aclosing(self._waveforms()) as waveforms:
            async for piece in waveforms:
                kept.append(piece)
                if sum(map(len, kept)) < BLOCK_SAMPLES:
                    continue
                joined = np.concatenate(kept)
                whole = len(joined) // BLOCK_SAMPLES * BLOCK_SAMPLES
                kept = [joined[whole:]]
                for first in range(0, whole, BLOCK_SAMPLES):
                    samples += BLOCK_SAMPLES
                    self._heard(samples)
                    yield joined[first : first + BLOCK_SAMPLES]
        rest = np.concatenate(kept) if kept else np.zeros(0, np.float32)
        if len(rest):
            self._heard(samples + len(rest))
            yield rest
        await self._check_end()

    def _heard(self, samples: int) -> None:
        """Note how far the audio has come."""
        if samples > self._max_duration_s * SAMPLE_RATE:
            raise self._too_long()
        self.decoded_s = samples / SAMPLE_RATE
        if self._frames is not None:
            self._frames.decoded_s = self.decoded_s

    async def _waveforms(self) -> AsyncGenerator[Waveform, None]:
        """Yield the audio at 16 kHz, in pieces as they come."""
        source = self._source_of_frames()
        lead = round(source.start_s * SAMPLE_RATE)
        async with contextlib.aclosing(self._batches(source)) as batches:
            async for batch in batches:
                for piece in batch:
                    while lead and len(piece):
                        silence = min(lead, BLOCK_SAMPLES)
                        lead -= silence
                        yield np.zeros((silence, *piece.shape[1:]), np.float32)
                    yield piece

    async def _batches(self, source: _Frames) -> AsyncGenerator[list[Waveform], None]:
        """Yield lists of pieces, converted in a thread, so that the event loop stays free."""
        converter = self._converter
        try:
            async with contextlib.aclosing(source.frames()) as stream:
                async for frames, rate in stream:
                    yield await asyncio.to_thread(lambda: [*converter.accept(frames, rate)])  # noqa: B023
            yield await asyncio.to_thread(lambda: [*converter.finish()])
        except AudioError as error:
            if str(error).startswith(self.name):
                raise
            raise AudioError(f"{self.name}: {error}") from None

    def _source_of_frames(self) -> _Frames:
        if self._frames is None:
            raise RuntimeError("the decoder is used without `async with`")
        return self._frames

    async def _check_end(self) -> None:
        """Look back on a file that was read to its end."""
        source = self._source_of_frames()
        self.warnings += [*await source.check_end(), *self._converter.warnings]
        if not self.decoded_s:
            raise AudioError(f"{self.name}: the audio is empty: expected at least one sample")


class _Frames(Protocol):
    """What gives a file's frames; the attributes as those of `Decoding`."""

    duration_s: float | None
    start_s: float
    decoded_s: float

    def frames(self) -> AsyncGenerator[Frames, None]:
        """Yield [samples, channels] float32 and their rate in Hz."""

    async def check_end(self) -> list[str]:
        """Return what is to be said of the file, which was read to its end."""


class _ReadHere:
    """The frames of an uncompressed file, read in a thread."""

    start_s = 0.0
    decoded_s = 0.0

    def __init__(self, file: UncompressedFile) -> None:
        self._file = file
        self.duration_s: float | None = file.duration_s

    async def frames(self) -> AsyncGenerator[Frames, None]:
        """As `_Frames.frames`."""
        frames = self._file.frames()
        while (item := await asyncio.to_thread(next, frames, None)) is not None:
            yield item

    async def check_end(self) -> list[str]:
        """As `_Frames.check_end`."""
        return self._file.warnings


def _file_name(source: MediaSource) -> str:
    """Return the name of the file that a source is; "" if it has none."""
    name = source if isinstance(source, (str, os.PathLike)) else getattr(source, "name", "")
    return os.fspath(name) if isinstance(name, (str, os.PathLike)) else ""
