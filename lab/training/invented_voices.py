"""Random espeak-ng voice variants: throats, breath and timbre that no shipped variant has.

espeak-ng looks for variants in its data folder only, so the training gets a folder of its own:
links to the installed one, and the invented variants beside the shipped ones. The keywords are
those of espeak-ng's documentation, docs/voices.md.
"""

from __future__ import annotations

import random
from pathlib import Path

INVENTED_COUNT = 80
"""At a time, for espeak-ng knows 349 with the shipped ones at most; each shard has its own."""
DATA_NAME = "espeak-ng-data"
VARIANTS = Path("voices") / "!v"
HIGHEST_TONE_HZ = 7500.0
MBROLA = "mb"
"""Voices of another synthesiser, left out of the list."""


def invented_name(index: int) -> str:
    """Name of the variant `index`, 0 to INVENTED_COUNT - 1."""
    return f"invented{index:02d}"


def _formants(rng: random.Random, scale: float) -> list[str]:
    """The nine resonances: frequency, strength and width in per cent of the usual."""
    lines = []
    strength, width = rng.uniform(60, 130), rng.uniform(65, 160)
    for number in range(9):
        frequency = 100 * scale * rng.uniform(0.9, 1.1)
        loudness = strength * rng.uniform(0.7, 1.4)
        if number in (0, 1):
            loudness = max(loudness, 75.0)
        elif rng.random() < (0.35 if number > 6 else 0.06):
            loudness = 0.0
        spread = width * rng.uniform(0.75, 1.3)
        lines.append(f"formant {number} {frequency:.0f} {loudness:.0f} {spread:.0f}")
    return lines


def _numbers(rng: random.Random, low: float, high: float, count: int) -> str:
    return " ".join(f"{rng.uniform(low, high):.0f}" for _ in range(count))


def _tone(rng: random.Random) -> str:
    """Gains (0-255) at rising frequencies in Hz, below 8,000: espeak-ng does not check.

    Far points are kept among the near ones: they make voices dark, the hardest to understand.
    """
    hertz, pairs = rng.uniform(60, 600), []
    widest = rng.choice((1.9, 4.0))
    for _ in range(rng.randrange(2, 6)):
        pairs.append(f"{hertz:.0f} {min(255.0, 12 * 25 ** rng.random()):.0f}")
        hertz *= rng.uniform(1.3, widest)
        if hertz > HIGHEST_TONE_HZ:
            break
    pairs[0] = f"{pairs[0].split()[0]} 255"
    return " ".join(pairs)


def invented_variant(rng: random.Random) -> str:
    """Content of one variant file, in the ranges of the shipped variants that train the models.

    Formants reach from 20 % lower to 55 % higher than the usual.
    """
    scale = rng.choice((rng.uniform(0.8, 1.1), rng.uniform(0.95, 1.3), rng.uniform(1.15, 1.55)))
    base = rng.choice((rng.uniform(55, 130), rng.uniform(100, 200))) * scale**1.2
    lines = ["language variant", f"pitch {base:.0f} {base * rng.uniform(1.1, 1.8):.0f}"]
    if rng.random() < 0.12:
        lines.append(f"klatt {rng.randrange(1, 7)}")
    lines += _formants(rng, scale)
    optional = (
        (0.6, "voicing", f"{25 * 6 ** rng.random():.0f}"),
        (0.6, "consonants", f"{25 * 6 ** rng.random():.0f} {25 * 6 ** rng.random():.0f}"),
        (0.5, "flutter", _numbers(rng, 0, 20, 1)),
        (0.4, "roughness", _numbers(rng, 0, 6, 1)),
        (0.4, "intonation", _numbers(rng, 1, 10, 1)),
        (0.5, "tone", _tone(rng)),
        (0.25, "breath", _numbers(rng, 0, rng.choice((5, 20, 60)), 8)),
        (0.1, "breathw", _numbers(rng, 60, 400, 6)),
        (0.2, "echo", f"{rng.uniform(5, 150):.0f} {rng.uniform(5, 60):.0f}"),
        (0.4, "stressAmp", _numbers(rng, 12, 35, 8)),
        (0.3, "stressAdd", _numbers(rng, -20, rng.choice((40, 160)), 8)),
    )
    lines += [f"{name} {value}" for share, name, value in optional if rng.random() < share]
    return "\n".join(lines) + "\n"


def link_data_folder(parent: Path, installed: Path) -> None:
    """Makes `parent`/espeak-ng-data: the shipped voices as links to the `installed` folder."""
    folder = parent / DATA_NAME
    (folder / VARIANTS).mkdir(parents=True)
    for relative in (Path(), VARIANTS.parent, VARIANTS):
        for entry in (installed / relative).iterdir():
            if entry.name != MBROLA and not (folder / relative / entry.name).exists():
                (folder / relative / entry.name).symlink_to(entry)


def invent_voices(parent: Path, seed: str) -> None:
    """Writes INVENTED_COUNT variants into `parent`/espeak-ng-data, over those of another seed."""
    rng = random.Random(seed)
    for index in range(INVENTED_COUNT):
        path = parent / DATA_NAME / VARIANTS / invented_name(index)
        path.write_text(invented_variant(rng), encoding="utf-8")
