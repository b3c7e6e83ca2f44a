"""How near `align` comes to a synthesiser's word times, and whether it marks what is not said.

    python -m lab.benchmark.alignment --url grpc://127.0.0.1:8001

Held-out texts and voices of espeak-ng, clean and noisy, in five languages: where espeak says that a
word begins, and that the next one does where no pause is between them, against where the server
does. In each utterance another word of the set is put in a random place; it must be marked.
"""

from __future__ import annotations

import argparse
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

import numpy as np

from asr_client import AlignedWord, Client
from asr_client.text import text_units
from asr_contract import SAMPLE_RATE
from lab.training.corpus import LANGUAGES
from lab.training.heldout import HeldOutUtterance, held_out_utterances

CONDITIONS = ("clean", "noisy")
SEED = 9
_SPACED = {"en", "ko"}


@dataclass
class Figures:
    """Of a language and condition: errors in ms, and words told apart."""

    starts: list[float] = field(default_factory=list)
    ends: list[float] = field(default_factory=list)
    words: int = 0
    missed: int = 0
    unspoken: int = 0
    marked: int = 0

    def row(self, name: str) -> list[str]:
        """Return the cells of a table."""
        return [
            name,
            str(self.words),
            f"{np.mean(self.starts):.0f} ms",
            f"{np.percentile(self.starts, 90):.0f} ms",
            f"{np.mean(self.ends):.0f} ms",
            f"{self.missed / self.words:.1%}",
            f"{self.marked} of {self.unspoken}",
        ]

    def add(self, other: Figures) -> None:
        """Take in another's."""
        self.starts += other.starts
        self.ends += other.ends
        self.words += other.words
        self.missed += other.missed
        self.unspoken += other.unspoken
        self.marked += other.marked


def whole_words(
    texts: Sequence[str], aligned: Sequence[AlignedWord]
) -> Iterator[list[AlignedWord]]:
    """Yield the aligned units of each of the synthesiser's words."""
    position = 0
    for text in texts:
        count = len(text_units(text))
        yield list(aligned[position : position + count])
        position += count


def measure(
    client: Client, utterances: Sequence[HeldOutUtterance], language: str, condition: str
) -> Figures:
    """Align utterances, as they are and with a word too many."""
    figures = Figures()
    rng = random.Random(f"{language} {condition}")
    join = " " if language in _SPACED else ""
    known = [text for one in utterances for text, _ in one.words]

    def align(one: HeldOutUtterance, texts: Sequence[str]) -> list[list[AlignedWord]]:
        alignment = client.align(
            getattr(one, condition), join.join(texts), language=language, sample_rate=SAMPLE_RATE
        )
        return [*whole_words(texts, alignment.words)]

    for one in utterances:
        texts = [text for text, _ in one.words]
        found = align(one, texts)
        starts = [start_ms for _, start_ms in one.words]
        for index, word in enumerate(found):
            figures.words += 1
            if not any(unit.heard for unit in word):
                figures.missed += 1
                continue
            figures.starts.append(abs(word[0].start_ms - starts[index]))
            following = found[index + 1 : index + 2]
            if following and following[0][0].start_ms == word[-1].end_ms:
                figures.ends.append(abs(word[-1].end_ms - starts[index + 1]))
        place, extra = rng.randrange(len(texts) + 1), rng.choice(known)
        if extra not in texts[max(place - 1, 0) : place + 1]:
            figures.unspoken += 1
            units = align(one, [*texts[:place], extra, *texts[place:]])[place]
            figures.marked += not any(unit.heard for unit in units)
    return figures


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--url", default="grpc://127.0.0.1:8001")
    parser.add_argument("--utterances", type=int, default=40, help="of each language")
    options = parser.parse_args()
    rows = []
    total = Figures()
    with Client(options.url) as client:
        for language in LANGUAGES:
            utterances = list(held_out_utterances(language, options.utterances, SEED))
            for condition in CONDITIONS:
                figures = measure(client, utterances, language, condition)
                rows.append(figures.row(f"{language}, {condition}"))
                total.add(figures)
    rows.append(total.row("all"))
    header = ["", "words", "begin", "90 %", "end", "spoken and marked", "not spoken and marked"]
    for cells in (header, ["---"] * len(header), *rows):
        print(f"| {' | '.join(cells)} |")


if __name__ == "__main__":
    main()
