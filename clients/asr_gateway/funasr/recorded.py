"""One utterance, or file, that is recognised when all of it is there (mode `offline`)."""

from __future__ import annotations

import asyncio
import struct
import wave
from pathlib import Path

import numpy as np

from asr_client import AsyncClient, AudioError, FileOptions, FileTranscript
from asr_client.audio import HEADERS, begins_as_file
from asr_client.storage import temporary_folder

_BEGINNING = 12  # bytes, by which a file is told
_PIECE = 1 << 20  # bytes
_LOOKED_AT = 1 << 20  # bytes of a file, to see whether they are samples
_LIKENESS = 0.3


def looks_like_pcm(path: Path) -> bool:
    """Return whether a file's bytes are like 16-bit samples of sound: each near the one before.

    The correlation of neighbours is near 1 in speech and near 0 in anything compressed or broken.
    Silence has none and is like samples, too.
    """
    with path.open("rb") as file:
        data = file.read(_LOOKED_AT)
    samples = np.frombuffer(data[: len(data) // 2 * 2], "<i2").astype(np.float64)
    if samples.size < 2:
        return False
    samples -= samples.mean()
    energy = float(samples @ samples)
    return energy == 0 or float(samples[1:] @ samples[:-1]) / energy > _LIKENESS


class TooMuchAudio(ValueError):
    """A recording is larger than the gateway takes."""

    def __init__(self, max_bytes: int) -> None:
        super().__init__(f"expected at most {max_bytes} bytes of audio; got more")


_LARGEST = 2**32 - 37  # bytes of samples that a header can tell


class Recording:
    """Audio that is collected in a temporary file, to be used `with`.

    Args:
        pcm_rate: sample rate of 16-bit mono PCM, in Hz.
        is_file: whether it should be a file in any container. Clients say so of headerless PCM,
            too: what is no file that can be read, and looks like samples, is taken as PCM.
            Otherwise it is PCM, which gets a header here, unless it begins as a file does.
        max_bytes: what the gateway takes.
        suffix: of the file's name, where that says the format of audio without a header.
    """

    def __init__(self, pcm_rate: int, *, is_file: bool, max_bytes: int, suffix: str = "") -> None:
        self._folder = temporary_folder()
        self._path = Path(self._folder.name, f"recording{suffix}")
        self._file = self._path.open("wb")
        self._pcm_rate = pcm_rate
        self._is_file = is_file
        self._max_bytes = max_bytes
        self._start: bytes | None = b""  # held back until it is known whether there is a header
        self._has_our_header = False
        self.received_bytes = 0

    def __enter__(self) -> Recording:
        return self

    def __exit__(self, *error: object) -> None:
        try:
            self._file.close()
        finally:
            self._folder.cleanup()

    def put(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            TooMuchAudio: they are too many.
        """
        if self.received_bytes + len(data) > self._max_bytes:
            raise TooMuchAudio(self._max_bytes)
        self.received_bytes += len(data)
        if self._start is not None:
            self._start += data
            if len(self._start) < _BEGINNING:
                return
            data = self._begin(self._start)
        self._file.write(data)

    async def transcribe(
        self, client: AsyncClient, options: FileOptions, *, owner: str = ""
    ) -> FileTranscript | None:
        """Return the transcript; None if the audio is empty. `owner` is whose file it is.

        Raises:
            AudioError: it cannot be decoded.
            AsrError: the others of `asr_client.errors`.
        """
        if self.received_bytes < 2:
            return None
        path = self._finish()
        try:
            return await _transcribed(client, path, options, owner)
        except AudioError:
            if not self._is_file or not await asyncio.to_thread(looks_like_pcm, path):
                raise
        with_header = await asyncio.to_thread(self._with_header, path)
        return await _transcribed(client, with_header, options, owner)

    def _with_header(self, path: Path) -> Path:
        """Return a copy of headerless samples with a header."""
        copy = path.with_name("samples.wav")
        with path.open("rb") as samples, wave.open(str(copy), "wb") as file:
            file.setparams((1, 2, self._pcm_rate, 0, "NONE", ""))
            while piece := samples.read(_PIECE):
                file.writeframesraw(piece[: len(piece) // 2 * 2])
        return copy

    def _begin(self, start: bytes) -> bytes:
        """See whether a header is needed; returns what is to be written first."""
        self._start = None
        self._is_file |= begins_as_file(start)
        if not self._is_file and not start.startswith(HEADERS):
            self._file.write(_header(self._pcm_rate, 0))
            self._has_our_header = True
        return start

    def _finish(self) -> Path:
        """Complete the file, if it is not: what was broken off is asked again."""
        if self._file.closed:
            return self._path
        if self._start is not None:
            self._file.write(self._begin(self._start))
        if self._has_our_header:
            self._file.seek(0)
            self._file.write(_header(self._pcm_rate, self.received_bytes))
        self._file.close()
        return self._path


def _header(rate: int, size: int) -> bytes:
    """Return what is before so many bytes of 16-bit mono PCM in a WAV file.

    Not `wave`'s, whose writer must be closed before its file, also where nobody closes either.
    """
    size = min(size, _LARGEST)
    return struct.pack(
        "<4sI4s4sIHHIIHH4sI",
        *(b"RIFF", 36 + size, b"WAVE"),
        *(b"fmt ", 16, 1, 1, rate, 2 * rate, 2, 16),
        *(b"data", size),
    )


async def _transcribed(
    client: AsyncClient, path: Path, options: FileOptions, owner: str
) -> FileTranscript:
    async with client.file_transcription(path, options, owner=owner) as file:
        return await file.result()
