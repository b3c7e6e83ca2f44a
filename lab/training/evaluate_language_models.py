"""Measures what a language model does to the embedded recognisers' Mandarin.

    python -m lab.training.evaluate_language_models --models embedded_models

The model is of n-grams of sentences that the training texts' grammar says, made as `build-lm` makes
one; none of them is one of the held-out. Its weight and insertion bonus are the best of a few on
the development recordings of `evaluate_hotwords`, with other texts than those reported: the
held-out noisy set of `evaluate`, of which three in five are digits, numbers and words in a row that
no language model can know, and a thousand recordings of sentences alone, made in the same way.
"""

from __future__ import annotations

import argparse
import dataclasses
import json
import random
import tempfile
from collections.abc import Callable, Sequence
from itertools import product, starmap
from pathlib import Path
from typing import NamedTuple

from asr_contract import character_error_rate
from asr_core.features import Waveform
from asr_core.language_models import (
    FOLDER,
    SETTINGS_FILE,
    LanguageModelSettings,
    Ngrams,
    TlgOptions,
    estimate,
    save_ngrams,
)
from asr_server.install import install
from asr_server.install.recogniser_tokens import TextTokens
from asr_server.models import KINDS, copy_repository

from .corpus import make_grammar
from .evaluate_hotwords import (
    LANGUAGE,
    MODELS,
    TUNING_SEED,
    TUNING_UTTERANCES,
    Recordings,
    development_recordings,
    recognisers,
    reported_recordings,
)
from .heldout import held_out_utterances

SENTENCES = 200_000
SEED = "language model"  # training draws from other seeds
ORDER = 5
WEIGHTS = (0.2, 0.3, 0.4, 0.5, 0.7)
UTTERED, UTTERED_SEED = 1000, 4  # neither the reported set's seed nor development's
BONUSES = {"sensevoice": (0.0, 1.0)}  # the others' texts have one length


class Counts(NamedTuple):
    """How much a language model counts."""

    weight: float
    insertion_bonus: float


NOTHING = Counts(0.0, 0.0)


def training_sentences(count: int) -> list[str]:
    """Return sentences of the grammar, as they are spoken; no text that is held out."""
    grammar = make_grammar(LANGUAGE, random.Random(SEED))
    texts: list[str] = []
    while len(texts) < count:
        sentence = grammar.sentence()
        if not sentence.held_out():
            texts.append(sentence.spoken())
    return texts


def build(name: str, model_dir: Path, texts: Sequence[str]) -> Ngrams:
    """Return the n-grams of texts in a recogniser's tokens."""
    kind = KINDS[name.replace("_", "-")]
    with tempfile.TemporaryDirectory() as scratch:
        repository = copy_repository(kind, Path(scratch) / kind.repository)
        install(kind, model_dir, repository)
        tokens = TextTokens(kind.name, repository)
        ngrams = estimate(tokens.lines(texts), tokens.tokens, ORDER)
    return dataclasses.replace(ngrams, made_for=tokens.made_for)


def beside(model_dir: Path, target: Path, ngrams: Ngrams, counts: Counts) -> None:
    """Fill a folder with a model's files and a language model beside them."""
    (target / FOLDER).mkdir(parents=True)
    for file in model_dir.iterdir():
        (target / file.name).symlink_to(file.resolve())
    save_ngrams(ngrams, target / FOLDER)
    settings = LanguageModelSettings("ngram", *counts, TlgOptions(), ngrams.made_for, {})
    (target / FOLDER / SETTINGS_FILE).write_text(json.dumps(settings.as_dict()))


def error_rate(
    name: str, models: Path, recordings: Recordings, ngrams: Ngrams, counts: Counts
) -> float:
    """Return the CER with a language model, without one where its weight is 0."""
    with tempfile.TemporaryDirectory() as scratch:
        if counts.weight:
            beside(models / name, Path(scratch) / name, ngrams, counts)
            models = Path(scratch)
        recognise: Callable[[Waveform, str], str] = recognisers(models)[name]()
        heard = [recognise(waveform, "") for _, waveform in recordings]
    return character_error_rate([text for text, _ in recordings], heard)


@dataclasses.dataclass(frozen=True)
class Material:
    """What a language model is made of and measured on.

    texts: of the grammar. development: recordings that choose its weight. reported: the held-out
    noisy set. sentences: recordings of held-out sentences alone.
    """

    texts: Sequence[str]
    development: Recordings
    reported: Recordings
    sentences: Recordings


def load_material(cache: Path) -> Material:
    """Return it; the held-out set comes from `cache`.

    Raises:
        RuntimeError: a held-out sentence is among those of the language model.
    """
    texts = training_sentences(SENTENCES)
    reported = reported_recordings(cache)
    uttered = held_out_utterances(LANGUAGE, UTTERED, UTTERED_SEED, templates_only=True)
    sentences = [(one.spoken, one.noisy) for one in uttered]
    known = {text for text, _ in (*reported, *sentences)}
    if not known.isdisjoint(texts):
        raise RuntimeError("a held-out sentence is among those of the language model")
    development = development_recordings(cache, TUNING_UTTERANCES, TUNING_SEED)
    return Material(
        texts, [each for each in development if each[0] not in known], reported, sentences
    )


@dataclasses.dataclass(frozen=True)
class LanguageModelFigures:
    """What was chosen, and the CER of each choice that was tried.

    reported, sentences: CER without and with it, of `Material`'s recordings of these names.
    """

    counts: Counts
    tried: dict[Counts, float]
    reported: tuple[float, float]
    sentences: tuple[float, float]


def measure(name: str, models: Path, material: Material) -> LanguageModelFigures:
    """Make a language model for a recogniser, choose how much it counts and measure."""
    ngrams = build(name, models / name, material.texts)
    tried = [*starmap(Counts, product(WEIGHTS, BONUSES.get(name, (0.0,))))]
    rates = {
        counts: error_rate(name, models, material.development, ngrams, counts)
        for counts in (NOTHING, *tried)
    }
    best = min(tried, key=rates.__getitem__)
    reported, sentences = (
        (
            error_rate(name, models, recordings, ngrams, NOTHING),
            error_rate(name, models, recordings, ngrams, best),
        )
        for recordings in (material.reported, material.sentences)
    )
    return LanguageModelFigures(best, rates, reported, sentences)


def main() -> None:
    """Parse options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/heldout"))
    parser.add_argument("--only", choices=MODELS)
    options = parser.parse_args()
    material = load_material(options.cache)
    for name in [options.only] if options.only else MODELS:
        found = measure(name, options.models, material)
        shown = ", ".join(
            f"{weight:g}+{bonus:g}: {rate:.2%}" for (weight, bonus), rate in found.tried.items()
        )
        print(
            f"{name}: {len(material.development)} development recordings, weight and bonus: {shown}"
        )
        for what, recordings, (without, with_one) in (
            ("of the noisy set", material.reported, found.reported),
            ("of sentences", material.sentences, found.sentences),
        ):
            print(
                f"{name}: {len(recordings)} recordings {what}, weight {found.counts.weight:g}, "
                f"bonus {found.counts.insertion_bonus:g}: CER {without:.2%} -> {with_one:.2%} "
                f"({with_one / without - 1:+.0%})",
                flush=True,
            )


if __name__ == "__main__":
    main()
