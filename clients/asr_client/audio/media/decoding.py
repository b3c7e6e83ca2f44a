"""The frames of a file that needs a decoder, and what its end says of the file."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path

import numpy as np

from asr_contract import SAMPLE_RATE

from ...errors import AudioError, DecoderFailed
from ...storage import temporary_folder
from ..containers import NotUncompressed, SampleStream
from ..raw import RawFormat
from ..samples import PcmFormat
from ..uncompressed import Frames, check_own_rate, cut_off_warning
from . import ogg, silk
from .bounds import Bounds
from .command import decode_command, find_ffmpeg
from .endings import read_ending
from .log import FfmpegLog
from .places import Place
from .process import DecodingProcess
from .repair import has_tag, repaired, without_tag

# Audio that ends this much before the file's own duration was probably cut off. A picture track
# often ends a little later than the sound.
_MISSING_S = 0.2
_MISSING_BESIDE_PICTURES_S = 2.0
_MISSING_SHARE = 0.005
_GAP_S = 0.02  # between frames that follow each other
_LEFT_OUT_S = 0.5  # more than encoders put before and behind the sound

# ffmpeg takes the first block of some Vorbis for later than it is, and cuts that off at the end.
_MOST_FILLED_S = 0.1


class Decoding:
    """A file's frames from a decoder's process, to be used `async with`.

    Args:
        name: of the file, for messages.
        path: absolute.
        place: of the process, which it releases.
        raw: how audio without a header is stored.
        bounds: what the process may take of the machine.
        stall_timeout_s: how long to wait for the process.

    Attributes:
        duration_s: what the file says its duration is, in seconds; None if it does not.
        start_s: when the first frame is heard, in seconds of the file.
        decoded_s: how far it has come; whoever takes the frames says so.

    Raises:
        AudioError: on entering: it holds no audio, or there is no decoder. While iterating: it
            takes too much to decode.
        DecoderFailed: the process stalled, crashed or was killed.
    """

    def __init__(
        self,
        name: str,
        path: Path,
        place: Place,
        raw: RawFormat | None,
        bounds: Bounds,
        stall_timeout_s: float,
    ) -> None:
        self._name = name
        self._path = path
        self._place = place
        self._bounds = bounds
        self._raw = raw
        self._stall_timeout_s = stall_timeout_s
        self._log = FfmpegLog()
        self._cleanup = contextlib.AsyncExitStack()
        self._samples = SampleStream(is_ours=True)
        self._ogg: ogg.OggPages | None = None
        self._missing_s = 0.0  # of joined files
        self._output_rate: int | None = None  # of the decoder's
        self.duration_s: float | None = None
        self.start_s = 0.0

    async def __aenter__(self) -> Decoding:
        async with self._cleanup as stack:
            await self._start(stack, resampled=True)
            if self._log.lacks_resampler:
                self._log = FfmpegLog()
                await self._start(stack, resampled=False)
            self._check_rate()
            if self._log.start_s is None:  # it has ended
                status = await self._process.check_status()
                if not self._log.is_ffmpegs:
                    said = self._log.first_line or f"exit status {status}"
                    program = self._process.command[0]
                    raise DecoderFailed(f"{self._name}: {program} does not work as ffmpeg: {said}")
                raise self._log.failure(self._name)
            # It reads all of the file, so it runs beside the process.
            self._ending = asyncio.create_task(
                asyncio.to_thread(read_ending, self._path, self._raw)
            )
            stack.push_async_callback(asyncio.wait, {self._ending})
            self._cleanup = stack.pop_all()
        self.duration_s = self._log.duration_s
        if self._ogg is None or self._ogg.duration_s is None:  # else it begins with the file
            self.start_s = self._log.start_s or 0.0
        return self

    async def _start(self, stack: contextlib.AsyncExitStack, *, resampled: bool) -> None:
        """Start the process."""
        command = await asyncio.to_thread(self._command, resampled)
        self._process = DecodingProcess(
            self._name, command, self._log, self._bounds, self._place, self._stall_timeout_s
        )
        await stack.enter_async_context(self._process)

    async def __aexit__(self, *error: object) -> None:
        await self._cleanup.aclose()

    @property
    def decoded_s(self) -> float:
        """How far it has come, in seconds."""
        return self._process.decoded_s

    @decoded_s.setter
    def decoded_s(self, value: float) -> None:
        self._process.decoded_s = value

    def _command(self, resampled: bool) -> list[str]:
        """Return the decoder's command line."""
        with self._path.open("rb") as file:
            beginning = file.read(10)
        if beginning.startswith(ogg.MAGIC):
            self._ogg = ogg.read_ogg(self._path)
        if beginning.startswith(silk.MAGIC):
            self._samples = SampleStream(silk.FORMAT, is_ours=True)
            return silk.silk_command(self._path)
        demuxer = None if self._raw is None else self._raw.name
        path = self._path
        if beginning.startswith(b"RIFF"):
            folder = self._cleanup.enter_context(temporary_folder())
            path, self._missing_s = repaired(path, Path(folder))
        if beginning.startswith(b"fLaC") and has_tag(path):
            folder = self._cleanup.enter_context(temporary_folder())
            path = without_tag(path, Path(folder))
        return decode_command(find_ffmpeg(), path, self._bounds, demuxer, resampled=resampled)

    def _check_rate(self) -> None:
        """Refuse a rate of which hours would be made from a few bytes."""
        rate = self._log.sample_rate
        if rate is not None:
            check_own_rate(self._name, rate)

    def _check_gap(self) -> None:
        """Refuse a file in whose middle ffmpeg had to leave something out."""
        gap_s, most_s = self._log.gap_s, self._bounds.output_s - 1
        if gap_s is None:
            return
        if gap_s > most_s:
            raise AudioError(
                f"{self._name}: expected at most {most_s:g} s; the file is longer (there is a gap "
                f"of {gap_s:.0f} s in it)"
            )
        raise AudioError(
            f"{self._name}: expected gaps of some 1000 s at most between packets, less of many "
            f"channels; got one of {gap_s:.0f} s"
        )

    async def frames(self) -> AsyncGenerator[Frames, None]:
        """Yield [samples, channels] float32 and their rate in Hz, as they come."""
        form: PcmFormat | None = None
        left: int | None = None
        while True:
            data = await self._process.read()
            self._check_gap()
            if self._log.is_misread and self._raw is None:
                raise self._log.failure(self._name)
            try:
                found = self._samples.feed(data) if data else self._samples.finish()
            except NotUncompressed:  # it was killed before it wrote its header
                found = []
            for header, samples in found:
                form = header.format
                self._output_rate = None if form is None else form.sample_rate
                if form is None:
                    raise AudioError(f"{self._name}: ffmpeg gave something else than samples")
                if left is None and self._ogg is not None and self._ogg.duration_s is not None:
                    left = round(self._ogg.duration_s * form.sample_rate)
                frames = form.decode(samples)[:left]
                left = None if left is None else left - len(frames)
                yield frames, form.sample_rate
            if not data:
                break
        if form is not None and left and left <= _MOST_FILLED_S * form.sample_rate:
            yield np.zeros((left, form.channels), np.float32), form.sample_rate

    async def check_end(self) -> list[str]:
        """Return what is to be said of the file, which was read to its end."""
        await self._process.check_status()
        warnings = []
        if (tracks := len(self._log.audio_tracks)) > 1:
            warnings.append(f"the file has {tracks} audio tracks, of which the first was read")
        ending = await self._ending
        problems = [each for each in self._log.problems if each != ending.harmless]
        if self._log.is_misread:
            problems.append("bytes that are no frame of GSM")
        if problems:
            warnings.append(f"the file is damaged: {'; '.join(problems)}")
        stated_s = ending.stated_s
        if stated_s is None and not self._log.estimated:
            stated_s = self.duration_s
        if self._missing_s:
            stated_s = self.decoded_s + self._missing_s
        dropped_s = self._log.dropped_samples / (self._output_rate or SAMPLE_RATE)
        if dropped_s > _MISSING_S:
            warnings.append(
                f"the file's times are broken: {dropped_s:.1f} s overlap what stands before them "
                "and were left out"
            )
        added_s = self._log.added_samples / (self._output_rate or SAMPLE_RATE)
        if ending.left_out_s > _LEFT_OUT_S:
            warnings.append(
                f"the file's edit list leaves out {ending.left_out_s:.1f} s of its audio"
            )
        if self._log.changes_rate and added_s > _MISSING_S:
            warnings.append(
                f"the file changes its sample rate, and its times are broken: {added_s:.1f} s of "
                "silence were put between its packets"
            )
        elif (ending.has_gaps and added_s > _GAP_S) or (self._ogg and self._ogg.lacks_pages):
            warnings.append(
                f"parts of the file are missing: {added_s:.1f} s are silent in their place"
            )
        least_s = _MISSING_BESIDE_PICTURES_S if self._log.streams > 1 else _MISSING_S
        if stated_s is not None and stated_s - self.decoded_s > max(
            least_s, _MISSING_SHARE * stated_s
        ):
            warnings.append(cut_off_warning(self.decoded_s, stated_s))
        elif ending.is_cut or (self._ogg is not None and not self._ogg.is_complete):
            warnings.append(
                f"the file does not end as its format does: it may be cut off, "
                f"{self.decoded_s:.1f} s are there"
            )
        return warnings
