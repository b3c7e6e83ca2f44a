"""Supervises one process that decodes one file to its stdout: ffmpeg, or the decoder of SILK."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import Sequence

from ...errors import AudioError, DecoderFailed
from ...time_limit import within
from .bounds import Bounds
from .log import FfmpegLog
from .places import Place

_READ_BYTES = 1 << 18
_AHEAD_BYTES = 4 << 20  # some 20 s that wait here, so that a short file is soon done


class DecodingProcess:
    """A process that writes audio; to be used `async with`, which kills it unless it has ended.

    It waits while its output is not taken. When this process itself is killed, it ends at its
    next write, because nobody reads its pipe any more.

    Args:
        name: of the file, for messages.
        command: the program and its arguments.
        log: understands its stderr.
        bounds: what it may take of the machine.
        place: released when it has ended.
        stall_timeout_s: how long to wait for output.

    Attributes:
        decoded_s: how far it has come, for messages; whoever reads it knows.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: FfmpegLog,
        bounds: Bounds,
        place: Place,
        stall_timeout_s: float,
    ) -> None:
        self._name = name
        self.command = command
        self._log = log
        self._bounds = bounds
        self._place = place
        self._stall_timeout_s = stall_timeout_s
        self._cleanup = contextlib.AsyncExitStack()
        self.decoded_s = 0.0

    async def __aenter__(self) -> DecodingProcess:
        """Start it; returns when its log says where the audio begins, or it has ended."""
        async with contextlib.AsyncExitStack() as stack:
            self._process = await asyncio.create_subprocess_exec(
                *self._bounds.command(self.command),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                limit=_AHEAD_BYTES,
                env=_environment(),
                start_new_session=True,  # Ctrl-C is for us; we then stop it
            )
            started = asyncio.Event()
            self._log_reader = asyncio.create_task(self._read_log(started))
            stack.push_async_callback(self._stop)
            try:
                await within(self._stall_timeout_s, started.wait())
            except TimeoutError:
                raise self._stalled() from None
            self._cleanup = stack.pop_all()
        return self

    async def __aexit__(self, *error: object) -> None:
        await self._cleanup.aclose()

    async def read(self) -> bytes:
        """Return the next output, some seconds of it; none at the end, when its log is complete.

        Raises:
            DecoderFailed: there is none for too long.
        """
        stdout = self._process.stdout
        if stdout is None:
            raise RuntimeError("the process was started without a pipe")
        try:
            data = await within(self._stall_timeout_s, stdout.readexactly(_READ_BYTES))
        except asyncio.IncompleteReadError as error:
            data = error.partial
        except TimeoutError:
            raise self._stalled() from None
        if not data:
            await self._log_reader
        return data

    async def check_status(self) -> int:
        """Wait for it to end by itself, and return its status; what it met is in the log.

        Raises:
            AudioError: it took too long.
            DecoderFailed: it crashed or was killed.
        """
        status = await self._process.wait()
        if -status == getattr(signal, "SIGXCPU", None):
            raise AudioError(
                f"{self._name}: expected a file that is decoded within {self._bounds.cpu_s} s of "
                f"processor time; got {self.decoded_s:.1f} s of audio by then"
            )
        if status < 0:
            raise DecoderFailed(
                f"{self._name}: ffmpeg crashed or was killed (signal {-status}), "
                f"{self.decoded_s:.1f} s into the file"
            )
        return status

    async def _read_log(self, started: asyncio.Event) -> None:
        """Read stderr to its end; `started` is set when the first block is there, or never will."""
        stderr = self._process.stderr
        try:
            while stderr is not None and (data := await stderr.read(4096)):
                self._log.feed(data)
                if self._log.start_s is not None:
                    started.set()
        finally:
            started.set()
            self._place.release()  # it has ended, or is about to be killed

    async def _stop(self) -> None:
        """Kill the process unless it has ended, and take leave of it."""
        # With its stderr closed it has ended already; asyncio will notice in a moment.
        if not self._log_reader.done():
            with contextlib.suppress(ProcessLookupError):
                self._kill()
        # `wait` may wait for the pipes too, and a full one is not read by itself.
        if self._process.stdout is not None:
            await self._process.stdout.read()
        await self._log_reader
        await self._process.wait()

    def _kill(self) -> None:
        """Kill it, and what it has started where the system lets it."""
        if os.name == "posix":
            os.killpg(self._process.pid, signal.SIGKILL)  # it leads a session of its own
        else:
            self._process.kill()

    def _stalled(self) -> DecoderFailed:
        return DecoderFailed(
            f"{self._name}: ffmpeg gave nothing for {self._stall_timeout_s:g} s, "
            f"{self.decoded_s:.1f} s into the file"
        )


def _environment() -> dict[str, str]:
    """Return the environment for ffmpeg."""
    # ffmpeg converts the names of a transport stream's services, which nobody reads here. Linked
    # statically, as in imageio-ffmpeg 0.6 and older, it would load the system's converters for
    # that, made for another C library, and crash; it looks for them where this says.
    environment = dict(os.environ, AV_LOG_FORCE_NOCOLOR="1", GCONV_PATH=os.devnull)
    environment.pop("FFREPORT", None)  # would write a log file, and change the level of stderr
    return environment
