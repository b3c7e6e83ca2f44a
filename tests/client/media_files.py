"""Makes media files with the ffmpeg of the imageio-ffmpeg wheel, decodes them, and finds clicks."""

from __future__ import annotations

import asyncio
import subprocess
from pathlib import Path

import imageio_ffmpeg
import numpy as np
import psutil
import soundfile

from asr_client.audio.media import BLOCK_SAMPLES, MediaDecoder

CLICKS_S = (0.5, 1.7, 3.1, 5.2)
DURATION_S = 6.0


def click_track(path: Path, rate: int, channels: int = 1) -> Path:
    """Write a wav: silence with bursts of 10 ms at CLICKS_S, alike in all channels."""
    samples = np.zeros(int(DURATION_S * rate), np.float32)
    burst = 0.8 * np.sin(2 * np.pi * 1000 * np.arange(rate // 100) / rate)
    for click_s in CLICKS_S:
        first = int(click_s * rate)
        samples[first : first + len(burst)] = burst
    soundfile.write(path, np.repeat(samples[:, None], channels, axis=1), rate)
    return path


def click_times(waveform: np.ndarray, rate: int = 16000) -> list[float]:
    """Return when the bursts begin, in seconds."""
    loud = np.flatnonzero(np.abs(waveform) > 0.3 * np.abs(waveform).max())
    return [float(i) / rate for i in loud[np.r_[True, np.diff(loud) > rate // 10]]]


def ffmpeg(*arguments: str | Path) -> None:
    """Run the wheel's ffmpeg, overwriting outputs."""
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-nostdin", "-y"]
    subprocess.run([*command, *map(str, arguments)], check=True, timeout=120)


def pictures(seconds: float, offset_s: float = 0.0) -> list[str]:
    """Return the arguments for an input of black pictures."""
    source = f"color=c=black:s=64x64:r=10:d={seconds}"
    return ["-itsoffset", str(offset_s), "-f", "lavfi", "-i", source]


def endless_wav(path: Path, hours: float) -> Path:
    """Write a wav of silence, 16 kHz mono, that takes no room on the disk."""
    data_bytes = int(hours * 3600 * 16000) * 2
    header = np.array([16, 1 | 1 << 16, 16000, 32000, 2 | 16 << 16], "<u4").tobytes()
    riff = b"RIFF" + np.uint32(36 + data_bytes).tobytes() + b"WAVEfmt " + header
    with path.open("wb") as file:
        file.write(riff + b"data" + np.uint32(data_bytes).tobytes())
        file.truncate(44 + data_bytes)
    return path


def endless_sox(path: Path, hours: float) -> Path:
    """Write SoX's own format, which only ffmpeg reads: silence that takes no room on the disk."""
    samples = int(hours * 3600 * 16000)
    head = np.array([28], "<u4").tobytes() + np.array([samples], "<u8").tobytes()
    form = np.array([16000], "<f8").tobytes() + np.array([1, 0], "<u4").tobytes()
    with path.open("wb") as file:
        file.write(b".SoX" + head + form)
        file.truncate(32 + 4 * samples)
    return path


def children() -> list[psutil.Process]:
    """Return the processes that this one has started and that still run, but for test servers.

    Those are Triton's, the doors before it, and what Python's `multiprocessing` keeps for itself.
    """
    return [child for child in psutil.Process().children(recursive=True) if _counts(child)]


def _counts(child: psutil.Process) -> bool:
    try:
        return (
            "triton" not in child.name()
            and child.status() != psutil.STATUS_ZOMBIE
            and not any(
                name in " ".join(_words(child)) for name in ("asr_server", "multiprocessing")
            )
        )
    except psutil.NoSuchProcess:  # it has ended since it was listed
        return False


def _words(process: psutil.Process) -> list[str]:
    """Return the words it was started with, none where it has just ended."""
    try:
        return process.cmdline()
    except psutil.Error:
        return []


async def collect(source, **options) -> tuple[np.ndarray, MediaDecoder]:
    async with MediaDecoder(source, **options) as media:
        blocks = [block async for block in media]
    assert all(block.dtype == np.float32 and block.ndim == 1 for block in blocks)
    assert all(len(block) == BLOCK_SAMPLES for block in blocks[:-1])
    assert all(len(block) > 0 for block in blocks)
    return np.concatenate(blocks), media


def decode(source, **options) -> tuple[np.ndarray, MediaDecoder]:
    return asyncio.run(collect(source, **options))


def assert_clicks(waveform: np.ndarray, shift_s: float = 0.0, tolerance_s: float = 0.02) -> None:
    times = click_times(waveform)
    assert len(times) == len(CLICKS_S), times
    np.testing.assert_allclose(times, np.array(CLICKS_S) + shift_s, atol=tolerance_s)
