"""Which ffmpeg is run, and with what arguments.

Nothing in a file can make ffmpeg open a second file or a connection:

- only the protocol `file` may be opened, so no playlist reaches a network;
- only the container formats below may be opened, none of which refers to other files (playlists
  such as m3u8, ffconcat and DASH, session descriptions, and image sequences are left out);
- the input is an absolute path behind `file:`, so a name is never an option, a URL or a pattern.

Works with ffmpeg 4.2 and newer.
"""

from __future__ import annotations

import shutil
from pathlib import Path

from asr_contract import SAMPLE_RATE

from ...errors import AudioError
from .bounds import Bounds

# Demuxers that hold their audio themselves; names as `ffmpeg -demuxers` lists them.
FORMATS = (
    *("aac", "loas", "ac3", "eac3", "aiff", "amr", "ape", "asf", "au", "avi", "caf", "dsf"),
    *("dts", "flac", "flv", "matroska", "webm", "mov", "mp4", "m4a", "3gp", "3g2", "mp3", "mpc"),
    *("mpc8", "mpeg", "mpegts", "mxf", "nut", "ogg", "rm", "sox", "tak", "tta", "voc", "w64"),
    *("wav", "wtv", "wv", "nistsphere", "ircam", "iff", "sds", "pvf", "epaf", "avr", "gsm"),
)


def find_ffmpeg() -> str:
    """Return the path of ffmpeg: the one on PATH, else that of the `imageio-ffmpeg` wheel.

    Raises:
        AudioError: there is neither.
    """
    on_path = shutil.which("ffmpeg")
    if on_path is not None:
        return on_path
    try:
        import imageio_ffmpeg
    except ImportError:
        raise _no_ffmpeg() from None
    try:
        return str(imageio_ffmpeg.get_ffmpeg_exe())
    except RuntimeError:
        # It runs the program to see whether it works, and remembers a failure for ever: that of
        # one that was killed by chance, too.
        for path in Path(imageio_ffmpeg.__file__).parent.glob("binaries/ffmpeg-*"):
            return str(path)
        raise _no_ffmpeg() from None


def _no_ffmpeg() -> AudioError:
    return AudioError(
        "this file needs ffmpeg; got none: install it with the system's package manager or "
        "with pip install imageio-ffmpeg"
    )


def decode_command(
    ffmpeg: str,
    path: Path,
    bounds: Bounds,
    demuxer: str | None,
    *,
    resampled: bool,
) -> list[str]:
    """Return the arguments that make ffmpeg write a file's first audio stream to its stdout.

    The stream comes as a WAV of float32, 1.0 at full scale, with all its channels: mixed it is
    where everything else is. The WAV says no length.

    Args:
        ffmpeg: path of the program.
        path: absolute.
        bounds: what it may take of the machine.
        demuxer: of audio without a header; None for a file that says what it is.
        resampled: to 16 kHz by soxr, as everything else is, which not every ffmpeg has; otherwise
            the stream has the file's own rate.
    """
    filters = (
        f"aresample={SAMPLE_RATE}:resampler=soxr" if resampled else "anull",
        "aformat=sample_fmts=flt",
        # Gaps between packets become silence and overlaps are cut, so that the time of a sample is
        # its place in the output. A gap is held in memory, so it comes behind what makes it small.
        "aresample=async=1",
        # Says in the log at what time the first sample is. `aresample=first_pts=0` would fill up
        # to there by itself, but once more wherever the stream changes its rate or channels.
        "asplit[out][first];[first]atrim=end_sample=1,ashowinfo,anullsink;[out]anull",
    )
    formats = FORMATS if demuxer is None else (demuxer,)
    return [
        ffmpeg,
        *("-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+verbose"),
        *("-protocol_whitelist", "file", "-format_whitelist", ",".join(formats)),
        # Audio gains nothing from more threads, and many files may run at once.
        *("-threads", "1", "-filter_threads", "1", "-filter_complex_threads", "1"),
        *("-max_alloc", str(bounds.allocation_bytes)),
        *(() if demuxer is None else ("-f", demuxer)),
        *("-i", f"file:{path}"),
        *("-map", "0:a:0", "-vn", "-sn", "-dn", "-map_metadata", "-1"),
        *("-af", ",".join(filters)),
        *("-t", str(bounds.output_s)),
        *("-c:a", "pcm_f32le", "-fflags", "+bitexact", "-f", "wav", "pipe:1"),
    ]
