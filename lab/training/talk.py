"""Writes the sample talk: minutes of speech with pauses, and when each of its words begins.

    python -m lab.training.talk

Two held-out voices take turns reading held-out sentences, in a room with noise at 20 dB. It is
Ogg Opus at some 24 kbit/s; beside it, as JSON, what is said: for each sentence its text with marks,
its figures, its bounds and the start of each word, from the synthesiser.
"""

from __future__ import annotations

import argparse
import json
import random
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import soundfile

from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform

from .augmentation import add_noise, coloured_noise, reverberate, set_peak, to_int16_grid
from .corpus_zh import TEMPLATES, MandarinGrammar
from .punctuated_texts import ENUMERATIONS
from .sentence import Sentence
from .synthesiser import Synthesiser, WordTime
from .voices import Voice

NAME = "talk"
SEED = "talk"
DURATION_S = 150.0
VOICES = ("f3", "m4")
"""Of the held-out variants."""
RATE_RANGE, PITCH_RANGE = (170, 230), (35, 65)
ENUMERATION_SHARE = 0.15
LONGEST_TURN = 4
PAUSE_S, TURN_PAUSE_S = (0.3, 0.9), (1.0, 2.5)
SNR_DB = 20.0
OPUS_COMPRESSION_LEVEL = 0.96
"""libsndfile's scale from 256 kbit/s (0) to 6 kbit/s (1) a channel."""


@dataclass(frozen=True)
class SpokenSentence:
    """One sentence of the talk.

    Attributes:
        text: as spoken, with marks.
        written: with figures.
        voice: espeak-ng's name.
        start_ms, end_ms: when it sounds.
        words: each word without marks, and its start in ms.
    """

    text: str
    written: str
    voice: str
    start_ms: int
    end_ms: int
    words: list[WordTime]


def draw_sentence(rng: random.Random, grammar: MandarinGrammar) -> Sentence:
    """A Mandarin sentence that makes sense and whose text trained nothing."""
    while True:
        share = rng.random()
        template = rng.choice(ENUMERATIONS if share < ENUMERATION_SHARE else TEMPLATES)
        sentence = Sentence(tuple(grammar.fill(template)), "zh")
        if sentence.held_out():
            return sentence


def make_talk(duration_s: float) -> tuple[Waveform, list[SpokenSentence]]:
    """The waveform (float32, 16 kHz) and what is said in it."""
    rng = random.Random(SEED)
    noise_rng = np.random.default_rng(rng.getrandbits(63))
    grammar, synthesiser = MandarinGrammar(rng), Synthesiser()
    parts: list[Waveform] = []
    spoken: list[SpokenSentence] = []
    position = 0

    def append(waveform: Waveform) -> None:
        nonlocal position
        parts.append(waveform)
        position += len(waveform)

    def pause(low_s: float, high_s: float) -> None:
        append(np.zeros(int(rng.uniform(low_s, high_s) * SAMPLE_RATE), np.float32))

    pause(*TURN_PAUSE_S)
    turn = 0
    while position < duration_s * SAMPLE_RATE:
        name = f"cmn-latn-pinyin+{VOICES[turn % len(VOICES)]}"
        voice = Voice("espeak", name, rng.randint(*RATE_RANGE), rng.randint(*PITCH_RANGE), 50, 1.0)
        for index in range(rng.randint(1, LONGEST_TURN)):
            if index:
                pause(*PAUSE_S)
            sentence = draw_sentence(rng, grammar)
            waveform, times = synthesiser.speak(sentence, voice)
            start_ms = position * 1000 // SAMPLE_RATE
            append(set_peak(waveform, -3.0))
            spoken.append(
                SpokenSentence(
                    sentence.punctuated(),
                    sentence.written(),
                    name,
                    start_ms,
                    position * 1000 // SAMPLE_RATE,
                    [(text, start_ms + time_ms) for text, time_ms in times],
                )
            )
        pause(*TURN_PAUSE_S)
        turn += 1
    clean = reverberate(noise_rng, np.concatenate(parts))
    noisy = add_noise(clean, coloured_noise(noise_rng, len(clean), 1.0), SNR_DB)
    return to_int16_grid(set_peak(noisy, -3.0)), spoken


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--directory", type=Path, default=Path("embedded_models/samples"))
    parser.add_argument("--seconds", type=float, default=DURATION_S)
    arguments = parser.parse_args()
    waveform, spoken = make_talk(arguments.seconds)
    arguments.directory.mkdir(parents=True, exist_ok=True)
    path = arguments.directory / f"{NAME}.ogg"
    with soundfile.SoundFile(
        path,
        "w",
        SAMPLE_RATE,
        1,
        "OPUS",
        format="OGG",
        compression_level=OPUS_COMPRESSION_LEVEL,
    ) as file:
        file.write(waveform)
    rows = ",\n".join(json.dumps(asdict(each), ensure_ascii=False) for each in spoken)
    path.with_suffix(".json").write_text(f"[\n{rows}\n]\n", encoding="utf-8")
    print(f"{path}: {len(waveform) / SAMPLE_RATE:.0f} s, {len(spoken)} sentences, "
          f"{path.stat().st_size / 1000:.0f} kB")  # fmt: skip


if __name__ == "__main__":
    main()
