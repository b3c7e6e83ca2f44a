"""Which synthetic voices train the models and which are kept for the held-out sets."""

from __future__ import annotations

import random
from dataclasses import dataclass

from .invented_voices import INVENTED_COUNT, invented_name

ESPEAK_VOICES = {
    "zh": ("cmn-latn-pinyin",),
    "yue": ("yue-latn-jyutping",),
    "ja": ("ja",),
    "ko": ("ko",),
    "en": ("en-us", "en-gb-x-rp", "en-gb-scotland", "en-us-nyc", "en-029"),
}
"""Plain `cmn` would read pinyin as English letters, hence the -latn- voices."""

RATE_RANGES = {
    "zh": (130, 330),
    "yue": (120, 270),
    "ja": (110, 230),
    "ko": (110, 230),
    "en": (110, 230),
}
"""espeak words per minute; it reads each pinyin syllable as a word, hence the higher rate."""

HELD_OUT_VARIANTS: tuple[str, ...] = (
    "f3", "m4", "klatt3", "Mario", "Alicia", "steph2", "iven3", "rob", "anika", "zac",
    "belinda", "Hugo",
)  # fmt: skip
TRAINING_VARIANTS: tuple[str, ...] = (
    "", "f1", "f2", "f4", "f5", "m1", "m2", "m3", "m5", "m6", "m7", "m8", "klatt", "klatt2",
    "klatt4", "klatt5", "klatt6", "Alex", "Andrea", "Andy", "Annie", "AnxiousAndy", "Denis",
    "Diogo", "Gene", "Gene2", "Henrique", "Jacky", "Lee", "Marco", "Michael", "Mike", "Storm",
    "Tweaky", "adam", "announcer", "antonio", "aunty", "benjamin", "boris", "caleb", "david",
    "ed", "edward", "edward2", "fast", "grandma", "grandpa", "gustave", "iven", "iven2", "iven4",
    "john", "kaukovalta", "linda", "marcelo", "max", "michel", "miguel", "nguyen", "norbert",
    "pablo", "paul", "pedro", "quincy", "robert", "sandro", "shelby", "steph", "steph3",
    "travis", "victor",
)  # fmt: skip
"""Whisper, croak, robot and demon variants are in neither list."""

INVENTED_SHARE = 0.8
"""Share of training utterances read by an invented voice."""

TRAINING_ENGLISH_ENGINES = ("flite:slt", "flite:kal16", "flite:rms", "flite:awb", "festival:kal")
HELD_OUT_ENGLISH_ENGINE = "festival:ked"
"""festvox-kdlpc16k (another speaker and another method), heard in no training."""


@dataclass(frozen=True)
class Voice:
    """A synthesiser setting.

    engine: "espeak", "flite" or "festival"; name: the engine's voice name.
    rate: words per minute (espeak) or relative duration (others, 1.0 = as recorded).
    pitch, pitch_range: espeak's 0-100 scales. speed: playback factor applied afterwards,
        which moves pitch and formants together (a shorter or longer vocal tract).
    """

    engine: str
    name: str
    rate: float
    pitch: int
    pitch_range: int
    speed: float
    word_gap: int = 0


def draw_voice(rng: random.Random, language: str, held_out: bool) -> Voice:
    """A voice for `language` (zh, yue, ja, ko, en), from the training or held-out lists."""
    if language == "en" and not held_out and rng.random() < 0.25:
        return draw_engine_voice(rng, rng.choice(TRAINING_ENGLISH_ENGINES))
    names = ESPEAK_VOICES[language]
    variant = rng.choice(HELD_OUT_VARIANTS if held_out else TRAINING_VARIANTS)
    if not held_out and rng.random() < INVENTED_SHARE:
        variant = invented_name(rng.randrange(INVENTED_COUNT))
    name = rng.choice(names) + (f"+{variant}" if variant else "")
    return Voice(
        engine="espeak",
        name=name,
        rate=rng.randrange(*RATE_RANGES[language]),
        pitch=rng.randrange(15, 86),
        pitch_range=rng.randrange(35, 66),
        speed=rng.uniform(0.95, 1.06) if held_out else rng.uniform(0.9, 1.12),
        word_gap=rng.choice((0, 0, 0, 0, 1, 2, 4, 6)),
    )


def draw_engine_voice(rng: random.Random, engine_voice: str) -> Voice:
    """A flite or festival voice such as "flite:slt", with random duration and speed."""
    engine, name = engine_voice.split(":")
    return Voice(engine, name, rng.uniform(0.8, 1.3), 50, 50, rng.uniform(0.9, 1.12))
