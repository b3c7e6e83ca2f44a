"""Sentences read by many invented speakers: what trains the embedded speaker model.

    python -m lab.training.speaker_recordings --shards 24

A speaker is a voice with a pitch, a range and a vocal tract of its own; from one sentence to the
next its rate and its pitch move a little, and so do room, noise and level. A shard is
`speakers_<number>.npy` ([frames, 80] float16, log-mel energies as CAM++ takes them, end to end) and
`speakers_<number>.rows.npy` ([recordings, 2] int64: frames and number of the speaker).
"""

from __future__ import annotations

import argparse
import random
import time
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_core.features import Waveform
from asr_core.speakers import SpeakerFbank

from .augmentation import augment
from .corpus import LANGUAGES, Grammar, make_grammar
from .invented_voices import INVENTED_COUNT, invent_voices, invented_name
from .sentence import Sentence
from .synthesis import invented_voices_parent
from .synthesiser import Synthesiser, SynthesisError
from .voices import ESPEAK_VOICES, HELD_OUT_VARIANTS, RATE_RANGES, TRAINING_VARIANTS, Voice

SPEAKERS_PER_SHARD = INVENTED_COUNT
SENTENCES_PER_SPEAKER = 6
LANGUAGE_WEIGHTS = {"zh": 0.5, "en": 0.2, "yue": 0.1, "ja": 0.1, "ko": 0.1}
SECOND_LANGUAGE_SHARE = 0.2
SHIPPED_SHARE = 0.15
"""Of the speakers whose throat is one of espeak-ng's own, with another pitch and tract."""

RATE_SPREAD, PITCH_SPREAD = 0.1, 5


def draw_speaker(rng: random.Random, language: str, variant: str) -> Voice:
    """A speaker with this throat: what stays the same in all that it says."""
    low, high = RATE_RANGES[language]
    return Voice(
        engine="espeak",
        name=f"{rng.choice(ESPEAK_VOICES[language])}+{variant}",
        rate=rng.uniform(low + 0.2 * (high - low), high - 0.2 * (high - low)),
        pitch=rng.randrange(15, 86),
        pitch_range=rng.randrange(35, 66),
        speed=rng.uniform(0.9, 1.12),
    )


def vary(rng: random.Random, speaker: Voice) -> Voice:
    """The speaker's voice in one sentence."""
    return replace(
        speaker,
        rate=speaker.rate * rng.uniform(1 - RATE_SPREAD, 1 + RATE_SPREAD),
        pitch=max(0, min(99, speaker.pitch + rng.randint(-PITCH_SPREAD, PITCH_SPREAD))),
        word_gap=rng.choice((0, 0, 0, 1, 2)),
    )


def in_language(speaker: Voice, language: str, rng: random.Random) -> Voice:
    """The same throat in another language."""
    variant = speaker.name.split("+", 1)[1]
    low, high = RATE_RANGES[language]
    name = f"{rng.choice(ESPEAK_VOICES[language])}+{variant}"
    return replace(speaker, name=name, rate=rng.uniform(low, high))


class SpeakerMaker:
    """Draws speakers and what they say; the same seed gives the same.

    Args:
        seed: of voices and texts.
        held_out: texts for testing, and of espeak-ng's own throats those for testing.
    """

    def __init__(self, seed: str, held_out: bool) -> None:
        parent = invented_voices_parent()
        invent_voices(parent, seed)
        self.rng = random.Random(zlib.crc32(seed.encode()))
        self.noise_rng = np.random.default_rng(self.rng.getrandbits(63))
        self._held_out = held_out
        self._synthesiser = Synthesiser(parent)
        self._grammars: dict[str, Grammar] = {
            language: make_grammar(language, self.rng) for language in LANGUAGES
        }

    def language(self) -> str:
        """Draw a language."""
        return self.rng.choices(LANGUAGES, [LANGUAGE_WEIGHTS[name] for name in LANGUAGES])[0]

    def speaker(self, number: int, language: str) -> Voice:
        """Draw the speaker with this number, 0 to `SPEAKERS_PER_SHARD` - 1."""
        variant = invented_name(number)
        if self.rng.random() < SHIPPED_SHARE:
            known = HELD_OUT_VARIANTS if self._held_out else TRAINING_VARIANTS
            variant = self.rng.choice([name for name in known if name])
        return draw_speaker(self.rng, language, variant)

    def sentence(self, language: str) -> Sentence:
        """Draw a text of the right half."""
        while True:
            sentence = self._grammars[language].sentence()
            if sentence.held_out() == self._held_out:
                return sentence

    def say(self, speaker: Voice, language: str) -> Waveform:
        """Read a text: clean speech.

        Raises:
            SynthesisError: the voice cannot say it.
        """
        return self._synthesiser.speak(self.sentence(language), vary(self.rng, speaker))[0]


def make_shard(number: int, directory: Path) -> float:
    """Write one shard; return its hours."""
    maker, extract = SpeakerMaker(f"speakers {number}", held_out=False), SpeakerFbank()
    fbanks: list[npt.NDArray[np.float16]] = []
    rows: list[tuple[int, int]] = []
    for index in range(SPEAKERS_PER_SHARD):
        first = maker.language()
        second = maker.language() if maker.rng.random() < SECOND_LANGUAGE_SHARE else first
        speaker = maker.speaker(index, first)
        other = speaker if second == first else in_language(speaker, second, maker.rng)
        for sentence in range(SENTENCES_PER_SPEAKER):
            language, voice = ((first, speaker), (second, other))[sentence % 2]
            try:
                clean = maker.say(voice, language)
            except SynthesisError:  # a few invented voices cannot say some sounds
                continue
            fbank = extract.log_mel(augment(maker.noise_rng, clean)).astype(np.float16)
            if len(fbank):
                fbanks.append(fbank)
                rows.append((len(fbank), number * SPEAKERS_PER_SHARD + index))
    stem = directory / f"speakers_{number:05d}"
    np.save(stem.with_suffix(".npy"), np.concatenate(fbanks))
    partial = stem.with_suffix(".partial.npy")
    np.save(partial, np.array(rows, np.int64))
    partial.rename(stem.with_suffix(".rows.npy"))
    return sum(len(fbank) for fbank in fbanks) / 360_000


def main() -> None:
    """Make the missing shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=int, default=24)
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/speaker_shards"))
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.shards):
        if (arguments.directory / f"speakers_{number:05d}.rows.npy").exists():
            continue
        started = time.monotonic()
        hours = make_shard(number, arguments.directory)
        print(f"shard {number}: {hours:.2f} h in {time.monotonic() - started:.0f} s", flush=True)


if __name__ == "__main__":
    main()
