"""Records from a sound card, by sounddevice and PortAudio."""

from __future__ import annotations

import queue
from types import ModuleType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from .common import MicrophoneError

MAX_BACKLOG_S = 30.0  # recorded and not read; what comes then is dropped, and counted

_NO_SOUNDDEVICE = 'recording needs the package sounddevice: pip install "triton-asr[mic]"'
_NO_PORTAUDIO = (
    "the PortAudio library is missing; install it with your system's package manager "
    "(Debian and Ubuntu: apt-get install libportaudio2)"
)


def input_devices() -> list[str]:
    """Return a line for each device that can record: its number, name and rate.

    Raises:
        MicrophoneError: a library is missing.
    """
    sounddevice = _sounddevice()
    default = sounddevice.default.device[0]
    lines = []
    for device in sounddevice.query_devices():
        if device["max_input_channels"] > 0:
            mark = "*" if device["index"] == default else " "
            rate = int(device["default_samplerate"])
            lines.append(f"{mark} {device['index']:3d}  {device['name']}  ({rate} Hz)")
    return lines


class Microphone:
    """Records from `with` on, at the device's own sample rate.

    Args:
        device: its number or a part of its name; the default device when None.

    Attributes:
        name: of the device.
        sample_rate: of what `read` returns, in Hz.
        lost_s: seconds that were dropped, because the reader or the machine was too slow.

    Raises:
        MicrophoneError: a library is missing, or the device cannot be used.
    """

    def __init__(self, device: int | str | None = None) -> None:
        self._sounddevice = _sounddevice()
        self._recorded: queue.SimpleQueue[NDArray[np.float32]] = queue.SimpleQueue()
        self._queued = 0  # written by PortAudio's thread: samples recorded …
        self._read = 0  # … and by the reader's: samples read
        self._lost = 0
        try:
            found = self._sounddevice.query_devices(device, "input")
            self.name = str(found["name"])
            self.sample_rate = int(found["default_samplerate"])
            self._stream = self._open(found["index"], int(found["max_input_channels"]))
        except (self._sounddevice.PortAudioError, ValueError) as error:
            which = "the default microphone" if device is None else f"microphone {device!r}"
            raise MicrophoneError(
                f"{which} cannot be used: {error}; --list-devices shows what there is"
            ) from error

    def __enter__(self) -> Microphone:
        try:
            self._stream.start()
        except self._sounddevice.PortAudioError as error:
            self._stream.close()
            raise MicrophoneError(f"{self.name} does not record: {error}") from error
        return self

    def __exit__(self, *error: object) -> None:
        self._stream.close()

    @property
    def lost_s(self) -> float:
        """Seconds that were dropped."""
        return self._lost / self.sample_rate

    @property
    def is_recording(self) -> bool:
        """Whether the device still records; one that was pulled out does not."""
        return bool(self._stream.active)

    def read(self, timeout_s: float = 0.0) -> NDArray[np.float32]:
        """Return all that was recorded since the last call, [samples, channels] float32.

        Args:
            timeout_s: to wait for something; after it, or if it is 0, the array may be empty.
        """
        pieces: list[NDArray[np.float32]] = []
        try:
            if timeout_s > 0:
                pieces.append(self._recorded.get(timeout=timeout_s))
            while True:
                pieces.append(self._recorded.get_nowait())
        except queue.Empty:
            pass
        frames = np.concatenate(pieces) if pieces else np.zeros((0, 1), np.float32)
        self._read += len(frames)
        return frames

    def stop(self) -> NDArray[np.float32]:
        """Stop recording and return what was not read yet, as `read`."""
        self._stream.stop()
        return self.read()

    def _open(self, index: int, max_channels: int) -> Any:
        """Open the device with one channel, or with all where it does not mix by itself."""
        for channels in sorted({1, max_channels}):
            try:
                return self._sounddevice.InputStream(
                    device=index,
                    samplerate=self.sample_rate,
                    channels=channels,
                    dtype="float32",
                    latency="high",  # rather late than with gaps
                    callback=self._take,
                )
            except self._sounddevice.PortAudioError:
                if channels == max_channels:
                    raise
        raise ValueError("it has no input channel")

    def _take(self, frames: NDArray[np.float32], count: int, time: Any, status: Any) -> None:
        """Take what PortAudio's thread has recorded."""
        if status.input_overflow:
            self._lost += count  # at least as much came before it; PortAudio does not count
        if self._queued - self._read > MAX_BACKLOG_S * self.sample_rate:
            self._lost += count
            return
        self._queued += count
        self._recorded.put(frames.copy())


def _sounddevice() -> ModuleType:
    """Import sounddevice, which loads PortAudio."""
    try:
        import sounddevice
    except ImportError as error:
        raise MicrophoneError(_NO_SOUNDDEVICE) from error
    except OSError as error:
        raise MicrophoneError(f"{_NO_PORTAUDIO} ({error})") from error
    module: ModuleType = sounddevice
    return module
