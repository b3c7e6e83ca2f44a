"""WAV files of a codec whose headers lie about their length, written anew for ffmpeg.

ffmpeg believes the size that a header says, and takes headers in the middle for sound.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from pathlib import Path

from ...storage import storing
from ..containers import Header, NotUncompressed, SampleStream

_BLOCK_BYTES = 1 << 18
_UNKNOWN = 0xFFFFFFFF


def repaired(path: Path, folder: Path) -> Path:
    """Return a file that ffmpeg reads to its end: the same, or a copy in `folder`.

    Raises:
        StorageFull: there is no room for the copy.
    """
    stream = SampleStream()
    try:
        for _ in _samples(path, stream):
            pass
    except NotUncompressed:
        return path
    if stream.is_plain:
        return path
    copy = folder / "repaired.wav"
    with storing("a temporary file of the audio"), copy.open("wb") as file:
        for header, samples in _samples(path, SampleStream()):
            if file.tell() == 0:
                head = b"fmt " + struct.pack("<I", len(header.fmt)) + header.fmt
                file.write(b"RIFF" + struct.pack("<I", _UNKNOWN) + b"WAVE" + head)
                file.write(b"data" + struct.pack("<I", _UNKNOWN))
            file.write(samples)
    return copy


def _samples(path: Path, stream: SampleStream) -> Iterator[tuple[Header, bytes]]:
    """Yield what is between the headers of a file."""
    with path.open("rb") as file:
        while data := file.read(_BLOCK_BYTES):
            yield from stream.feed(data)
    yield from stream.finish()
