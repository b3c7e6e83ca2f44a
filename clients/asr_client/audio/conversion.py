"""From frames of any rate and number of channels to what the models take: the one way there.

Files, arrays, uploads and live audio all come through here, piece by piece, so that the same
samples give the same waveform whatever they came in.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from ..errors import AudioError, OptionError
from .mixing import ChannelMixer
from .resampling import MAX_PIECE_S, StreamResampler
from .waveform import Waveform, checked_rate

# Decoded mp3 or ogg may overshoot 1.0 a little. Beyond this the numbers are integers that were
# cast to float without being scaled, and recognising them would give nonsense silently.
MAX_FLOAT_PEAK = 16.0

# Channels that are recognised apart; each has a sequence of its own on the server.
MAX_SPEAKERS = 32

Channels: TypeAlias = int | Literal["mix", "each"]


def checked_channels(channels: Channels) -> Channels:
    """Return which channels are wanted.

    Raises:
        OptionError: neither "mix" nor "each" nor the number of a channel.
    """
    is_number = isinstance(channels, int) and not isinstance(channels, bool) and channels >= 1
    if channels not in ("mix", "each") and not is_number:
        raise OptionError(
            f"channels: expected 'mix', 'each' or the number of a channel from 1 on; "
            f"got {channels!r}"
        )
    return channels


def read_channels(text: str) -> Channels:
    """Read `channels` as it is written on a command line or in a form.

    Raises:
        OptionError: as `checked_channels`.
    """
    word = text.strip().lower()
    return checked_channels(int(word) if word.isdecimal() else word)  # type: ignore[arg-type]


class Converter:
    """Converts one recording or stream to 16 kHz, [samples] or, for "each", [samples, channels].

    Args:
        channels: "mix" for the mean of all, a number for that channel alone (from 1), "each" for
            all of them side by side.

    Attributes:
        channel_count: of the audio so far; 0 before there is any.
    """

    def __init__(self, channels: Channels = "mix") -> None:
        self._channels = checked_channels(channels)
        self._mixer: ChannelMixer | None = None
        self._resampler: StreamResampler | None = None
        self._form: tuple[int, int] | None = None  # rate, channels
        self._warnings: list[str] = []
        self.channel_count = 0

    @property
    def warnings(self) -> list[str]:
        """What is to be said of the channels so far."""
        mixed = self._mixer.warning() if self._mixer is not None else None
        return [*self._warnings, *([mixed] if mixed else [])]

    def accept(self, frames: NDArray[np.float32], sample_rate: int) -> Iterator[Waveform]:
        """Yield what the next frames give, in pieces of `MAX_PIECE_S` at most.

        Args:
            frames: [samples, channels] float32.
            sample_rate: in Hz.

        Raises:
            AudioError: NaN or infinity, unscaled numbers, a rate that makes no sense, or the
                channel that is wanted is not there. Nothing of the frames was taken then.
        """
        rate, count = checked_rate(sample_rate), frames.shape[1]
        if not count:
            raise AudioError(f"expected shape [samples, channels]; got {frames.shape}")
        check_samples(frames)
        self._check_count(count)
        yield from self._convert(frames, rate, count)

    def finish(self) -> Iterator[Waveform]:
        """Yield what was held back; the next frames begin anew."""
        if self._form is None or self._resampler is None:
            return
        rate, _ = self._form
        if self._mixer is not None:
            yield from self._resampler.convert(self._mixer.finish(), rate)
            self._warnings, self._mixer = self.warnings, None
        yield self._resampler.flush()
        self._form = None

    def _convert(self, frames: NDArray[np.float32], rate: int, count: int) -> Iterator[Waveform]:
        """Convert frames that were found good."""
        if (rate, count) != self._form:
            yield from self.finish()
            self._begin(rate, count)
        step = MAX_PIECE_S * rate
        for first in range(0, len(frames), step):
            piece = self._selected(frames[first : first + step])
            if self._resampler is not None:
                yield from self._resampler.convert(piece, rate)

    def _begin(self, rate: int, count: int) -> None:
        """Begin with audio of another form."""
        self._form = (rate, count)
        if self._channels == "mix":
            self._mixer = ChannelMixer(rate, count)
        width = 0
        if self._channels == "each":
            width = self.channel_count = self.channel_count or count
            if width > MAX_SPEAKERS:
                raise AudioError(
                    f"expected at most {MAX_SPEAKERS} channels to recognise; got {width}"
                )
            if count != width:
                self._warnings.append(
                    f"the audio has {width} channels at first and {count} later: "
                    f"{'some are silent' if count < width else 'the rest is left out'} from there"
                )
        self.channel_count = self.channel_count or count
        if self._resampler is None:
            self._resampler = StreamResampler(width)

    def _selected(self, frames: NDArray[np.float32]) -> NDArray[np.float32]:
        """Return the mix of [samples, channels], one of them, or as many as there are to be."""
        if self._mixer is not None:
            return self._mixer.accept(frames)
        if isinstance(self._channels, int):
            return frames[:, self._channels - 1]
        missing = self.channel_count - frames.shape[1]
        if missing > 0:
            return np.pad(frames, ((0, 0), (0, missing)))
        return frames[:, : self.channel_count]

    def _check_count(self, count: int) -> None:
        """Raise AudioError if the channel that is wanted is not there."""
        if isinstance(self._channels, int) and self._channels > count:
            raise AudioError(
                f"channels={self._channels}: expected a channel that is there; "
                f"the audio has {count}"
            )


def check_samples(frames: NDArray[np.float32]) -> None:
    """Raise AudioError for NaN, infinity and numbers that are no samples."""
    if not frames.size:
        return
    # A NaN makes either of them NaN.
    peak = max(float(frames.max()), -float(frames.min()))
    if peak <= MAX_FLOAT_PEAK:
        return
    bad = int(np.count_nonzero(~np.isfinite(frames)))
    if bad:
        raise AudioError(f"expected finite samples; got {bad} NaN or infinite of {frames.size}")
    raise AudioError(
        f"expected float samples in [-1, 1]; got a peak of {peak:g} (integers cast to float? "
        "pass them as int16 or int32, or divide by their full scale)"
    )
