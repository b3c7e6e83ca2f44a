"""Recordings with pauses and, frame by frame, whether somebody speaks: what trains the VAD.

    python -m lab.training.vad_recordings --shards 12

Sentences of all languages and voices are strung together with pauses of 0.2 to 3 s, some of which
hold sounds that are no speech; the whole gets a room, noise and a level. A frame is speech where
the synthesiser's own clean signal sounds, before any of that, so labels know what noise hides.
A shard is `vad_<number>.npy` ([frames, 80] float16) and `vad_<number>.speech.npy` ([frames] bool),
recordings end to end, and `vad_<number>.lengths.npy`, the frames of each.
"""

from __future__ import annotations

import argparse
import itertools
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from asr_contract import SAMPLE_RATE
from asr_core.features import (
    FRAME_LENGTH_SAMPLES,
    FRAME_SHIFT_SAMPLES,
    KaldiNativeFbank,
    Waveform,
)

from .augmentation import augment, set_peak
from .corpus import LANGUAGES, Grammar, make_grammar
from .invented_voices import invent_voices
from .nonspeech import KINDS, nonspeech_clip
from .sentence import Sentence
from .synthesis import invented_voices_parent
from .synthesiser import Synthesiser, SynthesisError
from .voices import Voice, draw_engine_voice, draw_voice

Labels = npt.NDArray[np.bool_]
Degrade = Callable[[np.random.Generator, Waveform], Waveform]

RECORDINGS_PER_SHARD = 150
DURATION_S = (4.0, 30.0)
LANGUAGE_WEIGHTS = {"zh": 0.4, "en": 0.3, "yue": 0.1, "ja": 0.1, "ko": 0.1}
SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.2, 3.0
SAME_VOICE_SHARE = 0.6
SOUND_IN_PAUSE_SHARE = 0.3
SOUNDS = tuple(kind for kind in KINDS if kind != "silence")
NONSPEECH_SHARE = 0.35
"""Of recordings, which are longer: a tenth of the audio."""

SPEECH_FLOOR = 10**-3.5
"""Of the power of an utterance's loudest frame: what is weaker is a pause."""
BRIDGED_FRAMES = 12
"""A shorter gap is a closure within a word, not a pause."""


@dataclass(frozen=True)
class LabelledRecording:
    """A waveform (float32, 16 kHz) and whether each of its 10 ms frames is speech."""

    waveform: Waveform
    speech: Labels


def speech_frames(clean: Waveform) -> Labels:
    """Tells for each frame of one clean utterance whether it sounds, short gaps included."""
    count = frame_count(len(clean))
    if count == 0:
        return np.zeros(0, np.bool_)
    frames = np.lib.stride_tricks.sliding_window_view(clean, FRAME_LENGTH_SAMPLES)
    power = (frames[::FRAME_SHIFT_SAMPLES][:count] ** 2).mean(1)
    speech = power > power.max() * SPEECH_FLOOR
    sounding = np.flatnonzero(speech)
    for before, after in itertools.pairwise(sounding):
        if after - before <= BRIDGED_FRAMES:
            speech[before:after] = True
    return np.asarray(speech)


def frame_count(samples: int) -> int:
    """Number of whole frames, as the front end counts them."""
    return max(0, 1 + (samples - FRAME_LENGTH_SAMPLES) // FRAME_SHIFT_SAMPLES)


class RecordingMaker:
    """Draws recordings of several sentences; the same seed gives the same ones."""

    def __init__(
        self,
        seed: str,
        held_out: bool,
        synthesiser: Synthesiser,
        degrade: Degrade = augment,
        engine_voice: str | None = None,
    ) -> None:
        """held_out: voices and texts for testing; degrade: what happens to a clean recording.

        engine_voice: a flite or festival voice such as "festival:ked" reads all, in English.
        """
        self._rng = random.Random(seed)
        self._noise_rng = np.random.default_rng(self._rng.getrandbits(63))
        self._held_out, self._synthesiser = held_out, synthesiser
        self._degrade, self._engine_voice = degrade, engine_voice
        self._grammars: dict[str, Grammar] = {
            language: make_grammar(language, self._rng) for language in LANGUAGES
        }

    def recording(self) -> LabelledRecording:
        """The next one with speech."""
        wanted = int(self._noise_rng.uniform(*DURATION_S) * SAMPLE_RATE)
        language = self._language()
        voice = self._voice(language)
        parts: list[Waveform] = []
        spoken: list[tuple[int, Waveform]] = []
        position = 0

        def append(waveform: Waveform) -> None:
            nonlocal position
            parts.append(waveform)
            position += len(waveform)

        append(self._pause())
        while position < wanted:
            if self._rng.random() > SAME_VOICE_SHARE:
                language = self._language()
                voice = self._voice(language)
            try:
                utterance, _ = self._synthesiser.speak(self._sentence(language), voice)
            except SynthesisError:  # a few invented voices cannot say some sounds
                continue
            utterance = set_peak(utterance, float(self._noise_rng.uniform(-12, 0)))
            spoken.append((position, utterance))
            append(utterance)
            append(self._pause())
        mixed = np.concatenate(parts)
        degraded = self._degrade(self._noise_rng, mixed)
        return LabelledRecording(degraded, _labels(spoken, len(mixed)))

    def nonspeech(self) -> LabelledRecording:
        """One without speech."""
        waveform = nonspeech_clip(self._noise_rng)
        return LabelledRecording(waveform, np.zeros(frame_count(len(waveform)), np.bool_))

    def _voice(self, language: str) -> Voice:
        if self._engine_voice is not None:
            return draw_engine_voice(self._rng, self._engine_voice)
        return draw_voice(self._rng, language, self._held_out)

    def _language(self) -> str:
        if self._engine_voice is not None:
            return "en"
        return self._rng.choices(LANGUAGES, [LANGUAGE_WEIGHTS[name] for name in LANGUAGES])[0]

    def _sentence(self, language: str) -> Sentence:
        while True:
            sentence = self._grammars[language].sentence()
            if sentence.held_out() == self._held_out:
                return sentence

    def _pause(self) -> Waveform:
        """Silence, shorter ones more often, at times with a sound in it."""
        rng = self._noise_rng
        seconds = SHORTEST_PAUSE_S * (LONGEST_PAUSE_S / SHORTEST_PAUSE_S) ** rng.random()
        pause = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
        if rng.random() < SOUND_IN_PAUSE_SHARE:
            sound = nonspeech_clip(rng, str(rng.choice(SOUNDS)), float(rng.uniform(0.1, 2)))
            sound = set_peak(sound[: len(pause)], float(rng.uniform(-40, -6)))
            start = int(rng.integers(0, len(pause) - len(sound) + 1))
            pause[start : start + len(sound)] = sound
        return pause


def _labels(spoken: list[tuple[int, Waveform]], samples: int) -> Labels:
    """Places the labels of utterances, each with its first sample, in a recording."""
    speech = np.zeros(frame_count(samples), np.bool_)
    for first, utterance in spoken:
        labels = speech_frames(utterance)
        frame = round(first / FRAME_SHIFT_SAMPLES)
        speech[frame : frame + len(labels)] |= labels[: len(speech) - frame]
    return speech


def make_shard(number: int, directory: Path) -> tuple[float, float]:
    """Writes one shard; returns its length in hours and the share of speech."""
    seed = f"vad {number}"
    rng = random.Random(zlib.crc32(seed.encode()))
    parent = invented_voices_parent()
    invent_voices(parent, seed)
    maker = RecordingMaker(seed, held_out=False, synthesiser=Synthesiser(parent))
    extract = KaldiNativeFbank()
    fbanks, labels = [], []
    for _ in range(RECORDINGS_PER_SHARD):
        made = maker.nonspeech() if rng.random() < NONSPEECH_SHARE else maker.recording()
        fbank = extract(made.waveform)
        fbanks.append(fbank.astype(np.float16))
        labels.append(made.speech[: len(fbank)])
    stem = directory / f"vad_{number:05d}"
    speech = np.concatenate(labels)
    np.save(stem.with_suffix(".npy"), np.concatenate(fbanks))
    np.save(stem.with_suffix(".speech.npy"), speech)
    partial = stem.with_suffix(".partial.npy")
    np.save(partial, np.array([len(fbank) for fbank in fbanks]))
    partial.rename(stem.with_suffix(".lengths.npy"))
    return len(speech) / 360_000, float(speech.mean())


def main() -> None:
    """Makes the missing shards."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--first-shard", type=int, default=0)
    parser.add_argument("--shards", type=int, default=12)
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/vad_shards"))
    arguments = parser.parse_args()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    for number in range(arguments.first_shard, arguments.shards):
        if (arguments.directory / f"vad_{number:05d}.lengths.npy").exists():
            continue
        started = time.monotonic()
        hours, share = make_shard(number, arguments.directory)
        elapsed = time.monotonic() - started
        print(f"shard {number}: {hours:.2f} h, {share:.0%} speech, {elapsed:.0f} s", flush=True)


if __name__ == "__main__":
    main()
