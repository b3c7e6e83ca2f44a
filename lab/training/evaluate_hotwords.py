"""Measures what hotwords do to the embedded recognisers: recall of names, harm to other sentences.

    python -m lab.training.evaluate_hotwords --models embedded_models

    python -m lab.training.evaluate_hotwords --tune 6 8 10 12 --only sensevoice

On the held-out noisy Mandarin set of `evaluate`, or, to choose what a hotword's tokens earn, on
development recordings with other texts. A list of hotwords has the names that are said in forty
recordings, as in a meeting, and others, thirty or a hundred in all; or it has every name of the
grammar: of companies, of cities, and each family name with each given name.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product
from pathlib import Path

from asr_contract import ErrorCount, count_errors
from asr_core.decoding import DEFAULT_WEIGHT
from asr_core.features import Waveform
from asr_core.text import join_words

from .heldout import held_out_utterances
from .heldout_sets import load_set
from .lexicon_zh import CITIES, COMPANIES, FAMILY_NAMES, GIVEN_NAMES
from .recognisers import load_paraformer, load_sensevoice, load_streaming

LANGUAGE, CONDITION = "zh", "noisy"
TUNING_UTTERANCES, TUNING_SEED = 1200, 3  # the reported set has another seed
MODELS = ("paraformer", "paraformer_online", "sensevoice")
MEETING = 40
"""Recordings that share a list."""
LISTS = {"30": 30, "100": 100, "all": None}
"""Names of a list; None is every name of the grammar."""
Recogniser = Callable[[Waveform, str], str]
"""A waveform and hotwords to text."""
Recordings = Sequence[tuple[str, Waveform]]
"""What is said, and the recording of it."""


def all_names() -> list[str]:
    """Return every name that the grammar has."""
    people = [family + given for family, given in product(FAMILY_NAMES, GIVEN_NAMES)]
    return [*people, *COMPANIES, *CITIES]


@dataclass(frozen=True)
class HotwordFigures:
    """What a recogniser makes of a set.

    Attributes:
        names: spoken.
        found: of them, in the texts.
        others: character errors of the sentences without names.
        everything: of all sentences.
    """

    names: int
    found: int
    others: ErrorCount
    everything: ErrorCount

    def __add__(self, more: HotwordFigures) -> HotwordFigures:
        return HotwordFigures(
            self.names + more.names,
            self.found + more.found,
            self.others + more.others,
            self.everything + more.everything,
        )

    @property
    def recall(self) -> float:
        """Share of the names that were found."""
        return self.found / self.names


def measure(
    recordings: Recordings, recognise: Recogniser, names: Iterable[str], hotwords: str
) -> HotwordFigures:
    """Recognise a set with hotwords.

    Args:
        recordings: the set.
        recognise: the recogniser.
        names: what to count.
        hotwords: what the recogniser is told, "" for nothing.
    """
    spoken = found = 0
    pairs, others = [], []
    for text, waveform in recordings:
        heard = recognise(waveform, hotwords)
        pairs.append((text, heard))
        counts = [(text.count(name), heard.count(name)) for name in names if name in text]
        spoken += sum(count for count, _ in counts)
        found += sum(map(min, counts))
        if not counts:
            others.append((text, heard))
    return HotwordFigures(spoken, found, _errors(others), _errors(pairs))


def _errors(pairs: Sequence[tuple[str, str]]) -> ErrorCount:
    return sum((count_errors(*pair) for pair in pairs), ErrorCount())


def recognisers(
    models: Path, increment: float | None = None
) -> dict[str, Callable[[], Recogniser]]:
    """Return what loads each recogniser.

    Args:
        models: their folders.
        increment: of each token of a hotword, None for that of the served model.
    """

    def paraformer() -> Recogniser:
        loaded = load_paraformer(models / "paraformer", increment)
        return lambda waveform, hotwords: join_words(loaded([waveform], hotwords)[0])

    def streaming() -> Recogniser:
        loaded = load_streaming(models / "paraformer_online", increment)
        return lambda waveform, hotwords: join_words(loaded(waveform, hotwords))

    def sensevoice() -> Recogniser:
        loaded = load_sensevoice(models / "sensevoice", increment)
        return lambda waveform, hotwords: (
            loaded([waveform], text_norm="woitn", hotwords=hotwords)[0].text
        )

    return {"paraformer": paraformer, "paraformer_online": streaming, "sensevoice": sensevoice}


def reported_recordings(cache: Path) -> Recordings:
    """Return the held-out set whose figures are reported."""
    test = load_set(cache, LANGUAGE)
    return [(str(one.record["spoken"]), one.waveform(CONDITION)) for one in test]


def development_recordings(cache: Path, count: int, seed: int) -> Recordings:
    """Return recordings to choose settings by; none has a text of those reported."""
    reported = {text for text, _ in reported_recordings(cache)}
    utterances = held_out_utterances(LANGUAGE, count, seed)
    return [(one.spoken, one.noisy) for one in utterances if one.spoken not in reported]


def meetings(recordings: Recordings, size: int | None) -> Iterator[tuple[Recordings, list[str]]]:
    """Yield the recordings that share a list, and the list: of `size` names, or of all."""
    names = all_names()
    if size is None:
        yield recordings, names
        return
    rng = random.Random(f"lists of {size}")
    for first in range(0, len(recordings), MEETING):
        meeting = recordings[first : first + MEETING]
        said = [name for name in names if any(name in text for text, _ in meeting)]
        silent = [name for name in names if name not in said]
        yield meeting, said + rng.sample(silent, max(0, size - len(said)))


def compare(
    recordings: Recordings, recognise: Recogniser, weight: float = DEFAULT_WEIGHT
) -> tuple[HotwordFigures, dict[str, HotwordFigures]]:
    """Measure without hotwords, and with each of `LISTS`, each name at a weight."""
    names = all_names()
    told = {}
    for label, size in LISTS.items():
        rows = [
            measure(some, recognise, names, "\n".join(f"{name} {weight}" for name in known))
            for some, known in meetings(recordings, size)
        ]
        told[label] = sum(rows[1:], rows[0])
    return measure(recordings, recognise, names, ""), told


def gained(without: HotwordFigures, told: HotwordFigures) -> float:
    """Return the share of the missing names that hotwords bring."""
    return (told.found - without.found) / max(without.names - without.found, 1)


def main() -> None:
    """Parse options, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/heldout"))
    parser.add_argument("--only", choices=MODELS)
    parser.add_argument("--weight", type=float, default=DEFAULT_WEIGHT, help="of each name")
    parser.add_argument(
        "--tune", type=float, nargs="+", metavar="INCREMENT", help="on development recordings"
    )
    parser.add_argument(
        "--utterances",
        type=int,
        default=TUNING_UTTERANCES,
        help="drawn for --tune, less those reported",
    )
    options = parser.parse_args()
    recordings = (
        development_recordings(options.cache, options.utterances, TUNING_SEED)
        if options.tune
        else reported_recordings(options.cache)
    )
    for name in [options.only] if options.only else MODELS:
        for increment in options.tune or (None,):
            recognise = recognisers(options.models, increment)[name]()
            without, lists = compare(recordings, recognise, options.weight)
            chosen = "" if increment is None else f", increment {increment:g}"
            for label, told in lists.items():
                print(
                    f"{name}{chosen}, {label} names told: recall of {without.names} "
                    f"{without.recall:.1%} -> {told.recall:.1%} "
                    f"({gained(without, told):.0%} of what was missing); sentences without names "
                    f"{without.others.rate:.2%} -> {told.others.rate:.2%}, "
                    f"all {without.everything.rate:.2%} -> {told.everything.rate:.2%}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
