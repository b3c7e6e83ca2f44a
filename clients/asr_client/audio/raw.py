"""Audio without a header, told by the file's name or by whoever sends it."""

from __future__ import annotations

import os
from dataclasses import dataclass

from ..errors import AudioError
from .samples import MAX_CHANNELS, SAMPLE_FORMATS, PcmFormat
from .waveform import Pcm, checked_rate

PCM_FORMATS = SAMPLE_FORMATS

# Codecs without a header of their own, by ffmpeg's names for their demuxers.
RAW_CODECS = ("gsm", "g722")

# What telephone systems call such files → (format, Hz). Asterisk's names, and the RTP payloads'.
_BY_SUFFIX = {
    **dict.fromkeys(("ul", "ulaw", "mulaw", "mu", "pcmu", "g711u"), ("mulaw", 8000)),
    **dict.fromkeys(("al", "alaw", "pcma", "g711a"), ("alaw", 8000)),
    "gsm": ("gsm", 8_000),
    "g722": ("g722", 16_000),
    "sln": ("s16le", 8_000),
    **{f"sln{khz}": ("s16le", 1_000 * khz) for khz in (12, 16, 24, 32, 48, 96, 192)},
    "sln44": ("s16le", 44_100),
}

# How files begin that say themselves what they are, whatever their name.
_MAGIC = (
    *(b"ID3", b"OggS", b"fLaC", b"\x1aE\xdf\xa3", b"#!AMR", b"#!SILK", b"\x02#!SILK", b"RIFF"),
    *(b"FORM", b".snd", b"caff", b"\x30\x26\xb2\x75", b"NIST_1A"),
)


@dataclass(frozen=True)
class RawFormat:
    """How audio without a header is stored.

    Attributes:
        name: one of `PCM_FORMATS` or `RAW_CODECS`.
        sample_rate: in Hz.
        channels: interleaved.
    """

    name: str
    sample_rate: int
    channels: int = 1

    @property
    def pcm(self) -> PcmFormat | None:
        """The same as samples; None for a codec."""
        if self.name in RAW_CODECS:
            return None
        return PcmFormat(self.name, self.sample_rate, self.channels)


def raw_format(pcm: Pcm) -> RawFormat:
    """Return the format of raw audio.

    Raises:
        AudioError: it makes no sense.
    """
    if pcm.sample_format not in (*PCM_FORMATS, *RAW_CODECS):
        expected = ", ".join((*PCM_FORMATS, *RAW_CODECS))
        raise AudioError(f"sample_format: expected one of {expected}; got {pcm.sample_format!r}")
    if not isinstance(pcm.channels, int) or not 1 <= pcm.channels <= MAX_CHANNELS:
        raise AudioError(f"channels: expected 1 to {MAX_CHANNELS}; got {pcm.channels!r}")
    return RawFormat(pcm.sample_format, checked_rate(pcm.sample_rate), pcm.channels)


def raw_format_of_name(name: str, beginning: bytes) -> RawFormat | None:
    """Return what a file's name says of its format; None unless it is a name of raw audio.

    Args:
        name: of a file, or a format alone, such as "gsm" or "ulaw".
        beginning: of the file; it goes before the name where it says what it is.
    """
    suffix = os.path.basename(name).rpartition(".")[2].lower()
    if suffix not in _BY_SUFFIX or begins_as_file(beginning):
        return None
    return RawFormat(*_BY_SUFFIX[suffix])


def begins_as_file(beginning: bytes) -> bool:
    """Return whether these bytes, 8 or more, begin a file that says itself what it is."""
    return beginning.startswith(_MAGIC) or beginning[4:8] == b"ftyp"
