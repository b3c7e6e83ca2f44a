"""Decodes any audio or video file with ffmpeg, piece by piece, to what the models take.

    async with MediaDecoder("talk.mp4") as media:
        async for waveform in media:    # [samples] float32, 16 kHz, a second each
            ...

`command` says what ffmpeg is run with and why no file can make it read another one, `bounds` what
it may take of the machine, `alone` why it starts no process, and `places` how many run at once,
`log` what is understood of its messages, `process` how it is supervised; `joints` splits files that
were joined.
"""

from .command import find_ffmpeg
from .decoder import BLOCK_SAMPLES, MediaDecoder
from .source import MediaSource
from .whole import decode_whole, decode_whole_async

__all__ = [
    "BLOCK_SAMPLES",
    "MediaDecoder",
    "MediaSource",
    "decode_whole",
    "decode_whole_async",
    "find_ffmpeg",
]
