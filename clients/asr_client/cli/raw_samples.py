"""Samples without a header: how they are described, and how they come while they are recorded."""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from typing import BinaryIO

import numpy as np
from numpy.typing import NDArray

from ..audio import PCM_FORMATS, RAW_CODECS
from ..audio.samples import PcmFormat
from ..audio.waveform import checked_rate
from ..errors import AudioError
from .arguments import positive_count
from .common import UsageError

_FORMAT = "s16le"


def add_raw_options(parser: argparse.ArgumentParser) -> None:
    """Add --raw-rate, --raw-format and --raw-channels."""
    raw = parser.add_argument_group("raw audio (files without a header)")
    raw.add_argument(
        "--raw-rate", type=_rate, metavar="HZ", help="the files are raw audio with this sample rate"
    )
    raw.add_argument(
        "--raw-format",
        choices=(*PCM_FORMATS, *RAW_CODECS),
        metavar="FORMAT",
        help=f"{', '.join((*PCM_FORMATS, *RAW_CODECS))} (default: {_FORMAT})",
    )
    raw.add_argument(
        "--raw-channels",
        type=positive_count,
        metavar="N",
        help="number of interleaved channels (default: 1)",
    )


def _rate(text: str) -> int:
    """Parse a sample rate, for argparse."""
    try:
        return checked_rate(positive_count(text))
    except AudioError as error:
        message = str(error).removeprefix("sample_rate: ")
        raise argparse.ArgumentTypeError(message) from None


def raw_audio(options: argparse.Namespace) -> tuple[int, str, int] | None:
    """Return rate in Hz, format and channels of files without a header; None of others.

    Raises:
        UsageError: a format or channels are given without a rate.
    """
    if options.raw_rate is None:
        for option, given in (("format", options.raw_format), ("channels", options.raw_channels)):
            if given is not None:
                raise UsageError(f"--raw-{option}: expected --raw-rate, too")
        return None
    return options.raw_rate, options.raw_format or _FORMAT, options.raw_channels or 1


def sample_format(options: argparse.Namespace) -> PcmFormat | None:
    """Return what the options say of samples without a header; None of files that have one.

    Raises:
        UsageError: they are no samples but of a codec, or as `raw_audio`.
    """
    raw = raw_audio(options)
    if raw is None:
        return None
    rate, name, channels = raw
    if name in RAW_CODECS:
        raise UsageError(f"--raw-format {name}: expected samples, of {', '.join(PCM_FORMATS)}")
    return PcmFormat(name, rate, channels)


def frames_as_they_come(
    file: BinaryIO, samples: PcmFormat, chunk_ms: int
) -> Iterator[NDArray[np.float32]]:
    """Yield [frames, channels] as soon as they can be read, `chunk_ms` at most at a time.

    What lies behind the last whole frame is left out.

    Args:
        file: buffered, such as standard input.
        samples: how they are stored.
        chunk_ms: at a time, at most.
    """
    wanted = max(samples.sample_rate * chunk_ms // 1000, 1) * samples.frame_bytes
    held = b""
    while data := file.read1(wanted - len(held)):  # type: ignore[attr-defined]
        held += data
        whole = len(held) - len(held) % samples.frame_bytes
        if whole:
            yield samples.decode(held[:whole])
        held = held[whole:]
