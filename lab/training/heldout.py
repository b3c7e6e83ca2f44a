"""Held-out utterances: texts, voices and noise that no training shard contains."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from asr_core.features import Waveform

from .augmentation import degrade_for_test, set_peak, to_int16_grid
from .corpus import Grammar, make_grammar
from .sentence import Sentence
from .synthesis import read_aloud
from .synthesiser import Synthesiser, WordTime
from .voices import Voice, draw_engine_voice, draw_voice


@dataclass(frozen=True)
class HeldOutUtterance:
    """Clean and noisy versions (float32, 16 kHz) of one reading, with texts and word times.

    words: (word, start in ms from the beginning of the recording).
    """

    language: str
    voice: str
    spoken: str
    punctuated: str
    written: str
    words: list[WordTime]
    clean: Waveform
    noisy: Waveform


def held_out_sentence(grammar: Grammar, templates_only: bool) -> Sentence:
    """The next sentence whose text is reserved for testing."""
    while True:
        sentence = grammar.sentence()
        if sentence.held_out() and (sentence.from_template or not templates_only):
            return sentence


def held_out_utterances(
    language: str,
    count: int,
    seed: int,
    engine_voice: str | None = None,
    templates_only: bool = False,
) -> Iterator[HeldOutUtterance]:
    """Yields `count` utterances of `language`; the same seed gives the same ones.

    engine_voice: a flite or festival voice such as "festival:ked" instead of espeak's
    held-out variants. templates_only: sentences alone, no digits, numbers or words in a row.
    """
    for index in range(count):
        key = f"held-out {language} {engine_voice or ''} {seed} {index}"
        rng = random.Random(key)
        noise_rng = np.random.default_rng(rng.getrandbits(63))
        sentence = held_out_sentence(make_grammar(language, rng), templates_only)
        if engine_voice is None:
            voice = draw_voice(rng, language, held_out=True)
        else:
            voice = draw_engine_voice(rng, engine_voice)
        yield read_held_out(sentence, voice, noise_rng)


def read_held_out(
    sentence: Sentence, voice: Voice, noise_rng: np.random.Generator
) -> HeldOutUtterance:
    """Synthesises one utterance and its noisy version."""
    waveform, words = read_aloud(Synthesiser(), [sentence], voice, noise_rng)
    return HeldOutUtterance(
        language=sentence.language,
        voice=f"{voice.engine}:{voice.name}",
        spoken=sentence.spoken(),
        punctuated=sentence.punctuated(),
        written=sentence.written(),
        words=words,
        clean=to_int16_grid(set_peak(waveform, -3.0)),
        noisy=degrade_for_test(noise_rng, waveform),
    )
