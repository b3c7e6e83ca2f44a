"""Mixes channels to one without losing what is in them.

The mix is the mean of all channels, however many. Where the same sound comes in channels that are
not in step (one inverted, or later by some ms), the mean cancels it, wholly or at some frequencies:
then the strongest channel is taken instead, until the mean is whole again. What is lost is seen by
comparing, frequency by frequency, the power of the mean with what sounds that have nothing to do
with each other would have: a sum over channels of their powers, divided by their number squared.

It is decided for each hop of 100 ms from that hop and about a second before it, so a recording of
any length needs a second of memory, and a stream gets the same samples as a file.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .waveform import Waveform

HOP_S = 0.1
_FADE_S = 0.01  # from the mix to a channel and back

# Decay of what was heard before, for each hop: about a second counts.
_DECAY = 0.9

# A frequency is lost where the mix has less than this part of the power of unrelated sounds.
_LOST_RATIO = 0.25

# The mix is given up where this part of the spectrum is lost, and is good again below the second.
# By chance, unrelated sounds lose up to a quarter of it in a single hop, which is why one hop alone
# has to say more.
_LOST_SHARE = 0.15
_LOST_SHARE_AT_ONCE = 0.6
_GOOD_SHARE = 0.07
_SETTLED_HOPS = 4.0

# Bands of about the same width to the ear, from 100 Hz to 7 kHz.
_BAND_EDGES_HZ = 700 * np.expm1(np.linspace(np.log1p(100 / 700), np.log1p(7000 / 700), 17))
_BAND_FLOOR = 1e-4  # of the strongest band: what is weaker does not count
_SILENCE = 1e-4  # of the loudest hop's power: nothing is decided there

_ALIKE = 0.98  # part of the power that a mix of like channels keeps, at least
_ALONE = 0.999  # part of the power that is one channel's, where the others are silent
_STRONGER = 2.0  # ratio of powers from which another channel is taken

_WORTH_TELLING_S = 0.5
_WORTH_TELLING_SHARE = 0.2


class ChannelMixer:
    """Mixes one recording or stream; pieces may have any size.

    Attributes:
        replaced_s: how long one channel was taken for the mix, in seconds.
    """

    def __init__(self, sample_rate: int, channels: int) -> None:
        self._channels = channels
        self._hop = max(int(sample_rate * HOP_S), 1)
        self._sample_rate = sample_rate
        self._weights = np.full(channels, 1 / channels, np.float32)
        self._pending = np.zeros((0, channels), np.float32)
        self._choice: int | None = None
        self._before: int | None = None  # the choice for the hop before
        self._powers = np.zeros(channels)
        self._loudest = 0.0
        # Nothing above 7 kHz is looked at, so neighbours may be averaged.
        self._step = max(sample_rate // 16_000, 1)
        self._analysed = self._hop // self._step
        self._bins = _bands(self._analysed, sample_rate / self._step)
        self._window = np.hanning(self._analysed).astype(np.float32)
        self._mixed = self._unrelated = np.zeros(self._analysed // 2 + 1)
        self._energy = self._energy_squared = 0.0
        self.heard_s = 0.0
        self.replaced_s = 0.0
        self._replaced_by: set[int] = set()

    def accept(self, frames: NDArray[np.float32]) -> Waveform:
        """Return the mix of all hops that are complete, [samples].

        Args:
            frames: [samples, channels].
        """
        if self._channels == 1:
            return frames[:, 0]
        if len(self._pending):
            frames = np.concatenate([self._pending, frames])
        hops = len(frames) // self._hop
        self._pending = frames[hops * self._hop :].copy()
        return self._mix(frames[: hops * self._hop], hops)

    def finish(self) -> Waveform:
        """Return the mix of what was held back."""
        frames, self._pending = self._pending, self._pending[:0]
        if not len(frames):
            return np.zeros(0, np.float32)
        padding = np.zeros((self._hop - len(frames), self._channels), np.float32)
        return self._mix(np.concatenate([frames, padding]), 1)[: len(frames)]

    def warning(self) -> str | None:
        """Return what is to be said of the whole, if anything is."""
        enough_s = min(_WORTH_TELLING_S, _WORTH_TELLING_SHARE * self.heard_s)
        if not self._replaced_by or self.replaced_s < enough_s:
            return None
        names = ", ".join(str(channel + 1) for channel in sorted(self._replaced_by)[:8])
        which = f"channel {names}" if len(self._replaced_by) == 1 else f"one of channels {names}"
        return (
            f"the {self._channels} channels cancel each other for {self.replaced_s:.1f} s: "
            f"{which} was taken there, not the mix (channels=N takes one, channels=each all)"
        )

    def _mix(self, frames: NDArray[np.float32], hops: int) -> Waveform:
        """Mix whole hops, [samples, channels]."""
        if not hops:
            return np.zeros(0, np.float32)
        # Channel by channel: what follows goes through each of them in order.
        rows = np.ascontiguousarray(frames.T)
        alike = all(np.array_equal(row, rows[0]) for row in rows[1:])
        mix: Waveform = rows[0].copy() if alike else self._weights @ rows
        cut = rows.reshape(self._channels, hops, self._hop)
        powers = _powers(cut[:1] if alike else cut)
        total = powers.sum(axis=1)
        fine = np.ones(hops, bool)
        if not alike:
            mixed = _powers(mix.reshape(1, hops, self._hop))[:, 0] * self._channels
            fine = (mixed >= _ALIKE * total) | (powers.max(axis=1) >= _ALONE * total)
        self.heard_s += hops * HOP_S
        if fine.all() and self._choice is None:
            self._loudest = max(self._loudest, float(total.max()))
            self._forget()
            return mix
        mixed, unrelated = self._spectra(cut)
        for index in range(hops):
            self._decide(powers[index], mixed[index], unrelated[index], bool(fine[index]))
            hop = slice(index * self._hop, (index + 1) * self._hop)
            self._put(mix[hop], rows[:, hop])
        return mix

    def _spectra(self, cut: NDArray[np.float32]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Return power spectra, [hops, bins]: of the mix, and as if channels were unrelated.

        Args:
            cut: [channels, hops, samples].
        """
        channels, hops, _ = cut.shape
        if self._step > 1:
            whole = cut[:, :, : self._analysed * self._step]
            cut = whole.reshape(channels, hops, self._analysed, self._step).mean(axis=3)
        level = cut - cut.mean(axis=2, keepdims=True)  # an offset would leak into what is heard
        spectra = np.fft.rfft(level * self._window, axis=2) / channels
        unrelated = np.square(spectra.real).sum(axis=0) + np.square(spectra.imag).sum(axis=0)
        together = spectra.sum(axis=0)
        return np.square(together.real) + np.square(together.imag), unrelated

    def _decide(
        self,
        powers: NDArray[np.float64],
        mixed: NDArray[np.float64],
        unrelated: NDArray[np.float64],
        fine: bool,
    ) -> None:
        """Decide between the mix and a channel for a hop.

        Args:
            powers: of the channels.
            mixed: spectrum of the mix.
            unrelated: as it would be of unrelated channels.
            fine: nothing can be lost in this hop.
        """
        total = float(powers.sum())
        self._loudest = max(self._loudest, total)
        if total <= _SILENCE * self._loudest:
            return
        if fine:
            self._forget()
            self._choice = None
            return
        self._powers = _DECAY * self._powers + powers
        self._mixed = _DECAY * self._mixed + mixed
        self._unrelated = _DECAY * self._unrelated + unrelated
        self._energy = _DECAY * self._energy + total
        self._energy_squared = _DECAY**2 * self._energy_squared + total**2
        settled = self._energy**2 / self._energy_squared >= _SETTLED_HOPS
        share, limit = self._lost_share(), _LOST_SHARE if settled else _LOST_SHARE_AT_ONCE
        if self._choice is not None and share < _GOOD_SHARE:
            self._choice = None
        elif self._choice is not None or share >= limit:
            best, chosen = int(np.argmax(self._powers)), self._choice
            if chosen is None or self._powers[best] > _STRONGER * self._powers[chosen]:
                self._choice = best

    def _lost_share(self) -> float:
        """Return what part of the spectrum the mix has lost."""
        lost = self._unrelated * (self._mixed < _LOST_RATIO * self._unrelated)
        lost_sums = np.add.reduceat(lost, self._bins)[:-1]
        sums = np.add.reduceat(self._unrelated, self._bins)[:-1]
        audible = sums > _BAND_FLOOR * sums.max()
        return float((lost_sums[audible] / sums[audible]).mean()) if audible.any() else 0.0

    def _put(self, out: Waveform, rows: NDArray[np.float32]) -> None:
        """Write a hop, [channels, samples], as it was decided, faded over from the one before."""
        if self._choice is not None:
            out[:] = rows[self._choice]
            self.replaced_s += HOP_S
            self._replaced_by.add(self._choice)
        if self._choice != self._before:
            count = min(int(self._sample_rate * _FADE_S), self._hop)
            rise = np.linspace(0, 1, count, dtype=np.float32)
            before = self._weights @ rows[:, :count]
            if self._before is not None:
                before = rows[self._before, :count]
            out[:count] = rise * out[:count] + (1 - rise) * before
            self._before = self._choice

    def _forget(self) -> None:
        """Forget the spectra of the hops before."""
        self._mixed = np.zeros(self._analysed // 2 + 1)
        self._unrelated = np.zeros(self._analysed // 2 + 1)
        self._powers = np.zeros(self._channels)
        self._energy = self._energy_squared = 0.0


def _powers(cut: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the power of [channels, hops, samples] as [hops, channels], without offsets."""
    powers: NDArray[np.float64] = np.einsum("chs,chs->hc", cut, cut).astype(np.float64)
    offsets = cut.mean(axis=2, dtype=np.float64).T
    powers -= cut.shape[2] * offsets**2
    return powers.clip(0.0)


def _bands(hop: int, sample_rate: float) -> NDArray[np.int64]:
    """Return the first frequency bin of each band, and the end of the last."""
    bins = np.round(_BAND_EDGES_HZ * hop / sample_rate).astype(np.int64)
    unique: NDArray[np.int64] = np.unique(np.minimum(bins, hop // 2))
    return unique
