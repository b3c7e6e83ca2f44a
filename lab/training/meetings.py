"""Made meetings: invented voices take turns, in one room with noise.

Who speaks when is known from the synthesiser. The same seed gives the same meeting.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

from .augmentation import add_noise, coloured_noise, reverberate, set_peak, to_int16_grid
from .speaker_recordings import SpeakerMaker
from .synthesiser import SynthesisError
from .voices import Voice

DURATION_S = 100.0
LANGUAGE = "zh"
SNR_DB = (12.0, 25.0)
LEVEL_DB = (-8.0, -1.0)
PAUSE_S, OVERLAP_S = (0.15, 1.0), (0.5, 2.0)
LONGEST_TURN = 3
"""Sentences of a turn, most of them of 1 to 4 s; some are a single word."""
LEAST_SPOKEN_S = 2.0
"""Of each speaker in all: who says one word in a whole meeting is none."""


@dataclass(frozen=True)
class Utterance:
    """What one speaker says without a pause: number, start and end in s."""

    speaker: int
    start_s: float
    end_s: float


@dataclass(frozen=True)
class Meeting:
    """A recording, float32 at 16 kHz, and who speaks when in it."""

    name: str
    waveform: Waveform
    utterances: list[Utterance]

    @property
    def speakers(self) -> int:
        """How many speak."""
        return len({each.speaker for each in self.utterances})

    def shares(self, start_s: float, end_s: float) -> NDArray[np.float64]:
        """Return the share of a stretch in which each speaks, [speakers]."""
        found = np.zeros(1 + max(each.speaker for each in self.utterances))
        for each in self.utterances:
            spoken_s = min(end_s, each.end_s) - max(start_s, each.start_s)
            found[each.speaker] += max(spoken_s, 0.0) / (end_s - start_s)
        return found


def make_meeting(
    seed: str,
    speakers: int,
    overlap_share: float,
    duration_s: float = DURATION_S,
    held_out: bool = True,
) -> Meeting:
    """Make a meeting.

    Args:
        seed: of voices, texts and noise.
        speakers: how many; each speaks for `LEAST_SPOKEN_S` at least.
        overlap_share: of the time with speech, about, in which two speak.
        duration_s: until a turn ends, at least.
        held_out: voices and texts for testing; else, for tuning, those that trainings may hear.
    """
    maker = SpeakerMaker(f"meeting {seed}", held_out=held_out)
    rng = maker.rng
    voices = [maker.speaker(number, LANGUAGE) for number in range(speakers)]
    levels = [rng.uniform(*LEVEL_DB) for _ in voices]
    track = np.zeros(int((duration_s + 60) * SAMPLE_RATE), np.float32)
    utterances: list[Utterance] = []
    position = int(0.5 * SAMPLE_RATE)
    overlapped = 0.0
    spoken_s = [0.0] * speakers
    order = rng.sample(range(speakers), speakers)
    speaker = order[0]
    while position < duration_s * SAMPLE_RATE or len(order) > 0:
        speaker = (
            order.pop(0) if order else rng.choice([k for k in range(speakers) if k != speaker])
        )
        for sentence in range(rng.randint(1, LONGEST_TURN)):
            clean = set_peak(_say(maker, voices[speaker]), levels[speaker])
            gap = int(rng.uniform(*PAUSE_S) * SAMPLE_RATE)
            if sentence == 0 and utterances and overlapped < overlap_share * sum(spoken_s):
                gap = -int(min(rng.uniform(*OVERLAP_S) * SAMPLE_RATE, len(clean) * 0.7))
                gap = max(gap, int(utterances[-1].start_s * SAMPLE_RATE) - position)
                overlapped -= gap / SAMPLE_RATE
            start = position + gap
            track[start : start + len(clean)] += clean
            position = max(position, start + len(clean))
            spoken_s[speaker] += len(clean) / SAMPLE_RATE
            end_s = (start + len(clean)) / SAMPLE_RATE
            utterances.append(Utterance(speaker, start / SAMPLE_RATE, end_s))
        if position >= duration_s * SAMPLE_RATE and not order:
            order = [k for k in range(speakers) if spoken_s[k] < LEAST_SPOKEN_S]
    heard = reverberate(maker.noise_rng, track[: position + SAMPLE_RATE])
    noise = coloured_noise(maker.noise_rng, len(heard), 1.0)
    heard = add_noise(heard, noise, float(maker.noise_rng.uniform(*SNR_DB)))
    return Meeting(f"meeting-{seed}", to_int16_grid(set_peak(heard, -3.0)), utterances)


def _say(maker: SpeakerMaker, voice: Voice) -> Waveform:
    """Read a text that the voice can say."""
    while True:
        try:
            return maker.say(voice, LANGUAGE)
        except SynthesisError:  # a few invented voices cannot say some sounds
            continue
