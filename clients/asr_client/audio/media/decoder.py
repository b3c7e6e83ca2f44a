"""Supervises one ffmpeg process that decodes one file."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncGenerator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

import numpy as np

from asr_contract import SAMPLE_RATE

from ...errors import AudioError, DecoderFailed
from ...time_limit import within
from ..waveform import MIN_SAMPLE_RATE, Waveform, mix_down
from .bounds import Bounds
from .command import decode_command, find_ffmpeg
from .log import FfmpegLog
from .places import PLACES, Place
from .source import MediaSource, file_of, name_of

BLOCK_SAMPLES = SAMPLE_RATE  # one second
_SAMPLE_BYTES = 4  # float32

STALL_TIMEOUT_S = 60.0  # without a sample; ffmpeg gives hundreds of seconds of audio in one
MAX_DURATION_S = 24 * 3600.0
MAX_WHOLE_S = 3600.0  # 230 MB; nothing longer should be held in one array
_AHEAD_BYTES = 2 * 1024 * 1024  # half a minute that waits here, so that a short file is soon done

_MIN_BYTES_PER_S = 10  # of a file that is what it says; silence in Opus takes 30

# Audio that ends this much before the file's own duration was probably cut off. A picture track
# often ends a little later than the sound.
_MISSING_S = 2.0
_MISSING_SHARE = 0.02


class MediaDecoder:
    """Decodes the first audio track of a file of any container, block by block.

        async with MediaDecoder("talk.mp4") as media:
            async for waveform in media: ...

    Each block is [BLOCK_SAMPLES] float32, 16 kHz, mono, in [-1, 1] (lossy formats may overshoot
    a little); the last may be shorter. The n-th sample is at n / 16000 s of the file, as a player
    counts: where the audio begins after the picture, or has a gap, there is silence.

    What can be decoded of a file that is cut off or damaged is given, and `warnings` says so at
    the end; only a file without a single sample is an error.

    ffmpeg waits while the blocks are not taken, so memory is bounded whatever the length; what it
    may take of the machine is in `bounds`, how many run at once in `places`. It is killed when the
    `async with` is left in any way. When this process itself is killed, ffmpeg ends at its next
    write, because nobody reads its pipe any more.

    Attributes:
        name: what the source is called in messages.
        duration_s: what the file says its duration is, in seconds; for a progress bar only.
        decoded_s: how much has been given so far, in seconds.
        warnings: what was wrong with the file; complete after the last block.

    Args:
        source: a path, the bytes of a file, or a binary file object. Bytes and file objects are
            written to a temporary file first, since many containers are not readable in order.
        owner: whose file it is, who has a share of the decoders; "" is nobody.
        max_duration_s: a file that says that it is longer is refused at once, one that does not
            when this point is reached.
        stall_timeout_s: how long to wait for ffmpeg's next block.

    Raises:
        AudioError: on entering: no such file, not a regular one, empty, no audio or video, no
            audio track, a playlist, no ffmpeg, a sample rate that makes no sense, too long. While
            iterating: NaN, too long, it takes too much to decode.
        DecoderFailed: ffmpeg stalled, crashed or was killed.
        Overloaded: too many others are decoded.
        StorageFull: there is no room for the temporary file.
    """

    def __init__(
        self,
        source: MediaSource,
        *,
        owner: str = "",
        max_duration_s: float = MAX_DURATION_S,
        stall_timeout_s: float = STALL_TIMEOUT_S,
    ) -> None:
        self.duration_s: float | None = None
        self.decoded_s = 0.0
        self.warnings: list[str] = []
        self._source = source
        self._owner = owner
        self._max_duration_s = max_duration_s
        self._stall_timeout_s = stall_timeout_s
        self._cleanup = contextlib.AsyncExitStack()
        self._log = FfmpegLog()
        self.name = name_of(source)

    async def __aenter__(self) -> MediaDecoder:
        async with contextlib.AsyncExitStack() as stack:
            ffmpeg = await asyncio.to_thread(find_ffmpeg)
            path = await asyncio.to_thread(file_of, self._source, stack)
            self._bounds = Bounds.of_file(path, self._max_duration_s)
            place = await PLACES.take(self._owner)
            stack.callback(place.release)
            self._process = await asyncio.create_subprocess_exec(
                *decode_command(ffmpeg, path, self._bounds),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_AHEAD_BYTES,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for us; we then stop it
            )
            started = asyncio.Event()
            self._log_reader = asyncio.create_task(self._read_log(started, place))
            stack.push_async_callback(self._stop)
            try:
                await within(self._stall_timeout_s, started.wait())
            except TimeoutError:
                raise self._stalled() from None
            self.duration_s = self._log.duration_s
            self._check_claims()
            if self._log.start_s is None:  # ffmpeg has ended
                await self._check_status()
                if not self._log.is_ffmpegs:
                    said = self._log.first_line or f"exit status {self._process.returncode}"
                    raise DecoderFailed(f"{self.name}: {ffmpeg} does not work as ffmpeg: {said}")
                raise self._log.failure(self.name)
            self._cleanup = stack.pop_all()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self._cleanup.aclose()

    async def __aiter__(self) -> AsyncGenerator[Waveform, None]:
        lead_samples = round((self._log.start_s or 0.0) * SAMPLE_RATE)
        pending = np.zeros(0, np.float32)
        samples = 0
        while True:
            silence = min(lead_samples, BLOCK_SAMPLES - len(pending))
            if silence:
                lead_samples -= silence
                pending = np.concatenate([pending, np.zeros(silence, np.float32)])
            block = np.concatenate([pending, await self._read(BLOCK_SAMPLES - len(pending))])
            if len(block) < BLOCK_SAMPLES:
                await self._log_reader
            self._check_gap()
            pending = np.zeros(0, np.float32)
            samples += len(block)
            if samples > self._max_duration_s * SAMPLE_RATE:
                raise self._too_long()
            self.decoded_s = samples / SAMPLE_RATE
            if block.size:
                yield block
            if len(block) < BLOCK_SAMPLES:
                break
        await self._check_end()

    async def _read(self, count: int) -> Waveform:
        """Return the next samples, fewer than asked for at the end only."""
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("ffmpeg was started without a pipe")
        try:
            data = await within(self._stall_timeout_s, stdout.readexactly(count * _SAMPLE_BYTES))
        except asyncio.IncompleteReadError as error:
            data = error.partial[: len(error.partial) // _SAMPLE_BYTES * _SAMPLE_BYTES]
        except TimeoutError:
            raise self._stalled() from None
        block = np.frombuffer(data, "<f4").astype(np.float32)
        try:
            return mix_down(block)
        except AudioError as error:
            raise AudioError(f"{self.name}: {error}") from None

    async def _check_end(self) -> None:
        """Look back on a file that was read to its end."""
        await self._check_status()
        if self._log.problems:
            self.warnings.append(f"the file is damaged: {'; '.join(self._log.problems)}")
        if self.duration_s is not None and not self._log.estimated:
            missing_s = self.duration_s - self.decoded_s
            if missing_s > max(_MISSING_S, _MISSING_SHARE * self.duration_s):
                self.warnings.append(
                    f"the audio ends at {self.decoded_s:.1f} s, but the file says that it lasts "
                    f"{self.duration_s:.1f} s: it may be cut off"
                )

    async def _check_status(self) -> None:
        """Wait for ffmpeg to end by itself; what it met in the file is in the log."""
        status = await self._process.wait()
        if -status == getattr(signal, "SIGXCPU", None):
            raise AudioError(
                f"{self.name}: expected a file that is decoded within {self._bounds.cpu_s} s of "
                f"processor time; got {self.decoded_s:.1f} s of audio by then"
            )
        if status < 0:
            raise DecoderFailed(
                f"{self.name}: ffmpeg crashed or was killed (signal {-status}), "
                f"{self.decoded_s:.1f} s into the file"
            )

    def _check_claims(self) -> None:
        """Refuse what the file says of itself before work is spent on it."""
        rate = self._log.sample_rate
        if rate is not None and rate < MIN_SAMPLE_RATE:
            raise AudioError(
                f"{self.name}: expected a sample rate of {MIN_SAMPLE_RATE} Hz or more; "
                f"got {rate} Hz"
            )
        duration_s = self.duration_s or 0.0
        # A claim that the bytes cannot hold is not believed; what is there will be counted.
        credible = self._bounds.file_bytes >= _MIN_BYTES_PER_S * duration_s
        if duration_s > self._max_duration_s and credible:
            raise self._too_long(f" (it says {duration_s:.0f} s)")

    def _check_gap(self) -> None:
        """Refuse a file in whose middle ffmpeg had to leave something out."""
        gap_s = self._log.gap_s
        if gap_s is None:
            return
        if gap_s > self._max_duration_s:
            raise self._too_long(f" (there is a gap of {gap_s:.0f} s in it)")
        raise AudioError(
            f"{self.name}: expected gaps of some 1000 s at most between packets; "
            f"got one of {gap_s:.0f} s"
        )

    async def _read_log(self, started: asyncio.Event, place: Place) -> None:
        """Read stderr to its end; `started` is set when the first block is there, or never will."""
        stderr = self._process.stderr
        try:
            while stderr is not None and (data := await stderr.read(4096)):
                self._log.feed(data)
                if self._log.start_s is not None:
                    started.set()
        finally:
            started.set()
            place.release()  # ffmpeg has ended, or is about to be killed

    async def _stop(self) -> None:
        """Kill ffmpeg unless it has ended, and take leave of it."""
        # With its stderr closed it has ended already; asyncio will notice in a moment.
        if not self._log_reader.done():
            with contextlib.suppress(ProcessLookupError):
                self._process.kill()
        # `wait` may wait for the pipes too, and a full one is not read by itself.
        if self._process.stdout is not None:
            await self._process.stdout.read()
        await self._log_reader
        await self._process.wait()

    def _too_long(self, claim: str = "") -> AudioError:
        return AudioError(
            f"{self.name}: expected at most {self._max_duration_s:g} s; the file is longer{claim}"
        )

    def _stalled(self) -> DecoderFailed:
        return DecoderFailed(
            f"{self.name}: ffmpeg gave nothing for {self._stall_timeout_s:g} s, "
            f"{self.decoded_s:.1f} s into the file"
        )


async def decode_whole_async(source: MediaSource) -> Waveform:
    """Decode a file at once to [samples] float32, 16 kHz; for recordings of up to an hour.

    Raises:
        AsrError: as `MediaDecoder`.
    """
    async with MediaDecoder(source, max_duration_s=MAX_WHOLE_S) as media:
        return np.concatenate([block async for block in media])


def decode_whole(source: MediaSource) -> Waveform:
    """Decode a file at once; as `decode_whole_async`."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(decode_whole_async(source))
    # Called from inside a loop, as in a notebook: that loop stands still anyway.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, decode_whole_async(source)).result()


def _environment() -> dict[str, str]:
    """Return the environment for ffmpeg."""
    environment = dict(os.environ, AV_LOG_FORCE_NOCOLOR="1")
    environment.pop("FFREPORT", None)  # would write a log file, and change the level of stderr
    return environment
