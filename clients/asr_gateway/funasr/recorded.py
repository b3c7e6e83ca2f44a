"""One utterance, or file, that is recognised when all of it is there (mode `offline`)."""

from __future__ import annotations

import tempfile
import wave
from pathlib import Path
from types import TracebackType

from asr_client import AsyncClient, FileOptions, FileTranscript

_RIFF = b"RIFF"


class TooMuchAudio(ValueError):
    """A recording is larger than the gateway takes."""


class Recording:
    """Audio that is collected in a temporary file, to be used `with`.

    Args:
        pcm_rate: sample rate of 16-bit mono PCM, which gets a header here unless it brings one;
            None for a file in any container.
        max_bytes: what the gateway takes.
    """

    def __init__(self, pcm_rate: int | None, max_bytes: int) -> None:
        self._folder = tempfile.TemporaryDirectory(prefix="triton-asr-gateway-")
        self._path = Path(self._folder.name, "recording")
        self._file = self._path.open("wb")
        self._pcm_rate = pcm_rate
        self._max_bytes = max_bytes
        self._start: bytes | None = b""  # held back until it is known whether there is a header
        self._wave: wave.Wave_write | None = None  # writes the header where that is ours
        self.received_bytes = 0

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._close()
        finally:
            self._folder.cleanup()

    def put(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            TooMuchAudio: they are too many.
        """
        if self.received_bytes + len(data) > self._max_bytes:
            raise TooMuchAudio(f"expected at most {self._max_bytes} bytes of audio; got more")
        self.received_bytes += len(data)
        if self._start is not None:
            self._start += data
            if len(self._start) < len(_RIFF):
                return
            data = self._begin(self._start)
        self._write(data)

    async def transcribe(self, client: AsyncClient, options: FileOptions) -> FileTranscript | None:
        """Return the transcript; None if the audio is empty.

        Raises:
            AudioError: it cannot be decoded.
            AsrError: the others of `asr_client.errors`.
        """
        if self.received_bytes < 2:
            return None
        async with client.file_transcription(self._finish(), options) as file:
            return await file.result()

    def _begin(self, start: bytes) -> bytes:
        """See whether a header is needed; returns what is to be written first."""
        self._start = None
        if self._pcm_rate is not None and not start.startswith(_RIFF):
            self._wave = wave.Wave_write(self._file)
            self._wave.setparams((1, 2, self._pcm_rate, 0, "NONE", ""))
        return start

    def _write(self, data: bytes) -> None:
        if self._wave is not None:
            self._wave.writeframesraw(data)
        else:
            self._file.write(data)

    def _finish(self) -> Path:
        """Complete the file."""
        if self._start is not None:
            self._write(self._begin(self._start))
        self._close()
        return self._path

    def _close(self) -> None:
        if self._wave is not None:
            self._wave.close()  # says the length in the header
        self._file.close()
