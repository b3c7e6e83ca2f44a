"""Measures the embedded punctuation models on passages of held-out texts, without torch.

    python -m lab.training.evaluate_punctuation --json .cache/punctuation.json

Precision, recall and F1 of each mark, words of several sentences joined without marks. The
streaming model gets a passage in parts of 4 to 16 words, as speech between pauses, and its marks
are those of its answers joined.
"""

from __future__ import annotations

import argparse
import json
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from asr_core.punctuation import Passage, finish_offline, finish_streaming, tag_passages

from .exported_graphs import ExportedPunctuation
from .punctuated_texts import FULL_WIDTH, MARKS, NO_MARK, MarkedWord, PassageGrammar

PASSAGES = 400
TEST_SEED = "punctuation test"
PART_WORDS = (4, 16)


def test_passages(count: int) -> Iterator[list[MarkedWord]]:
    """Passages of held-out texts; the same each time."""
    grammar = PassageGrammar(random.Random(TEST_SEED), held_out=True)
    for _ in range(count):
        yield grammar.passage()


def mark_offline(model: ExportedPunctuation, words: Sequence[str]) -> list[str]:
    """The mark behind each word, "" for none."""
    passage = Passage(model.model, list(words))
    tag_passages([passage], model, 1)
    return list(finish_offline(passage, model.model.table).marks)


def mark_online(model: ExportedPunctuation, words: Sequence[str]) -> list[str]:
    """The same in parts; the last word's mark stays open."""
    rng = random.Random(len(words))
    marks: list[str] = []
    context: tuple[str, ...] = ()
    position = 0
    while position < len(words):
        part = words[position : position + rng.randint(*PART_WORDS)]
        passage = Passage(model.model, [*context, *part], len(context))
        tag_passages([passage], model, 1)
        answer = finish_streaming(passage, model.model.table)
        if context:
            marks[-1] = answer.marks[0]
        marks += answer.marks[1:] if context else answer.marks
        context = answer.context
        position += len(part)
    return marks


def mark_figures(
    model: ExportedPunctuation,
    mark: Callable[[ExportedPunctuation, Sequence[str]], list[str]],
    passages: Sequence[Sequence[MarkedWord]],
    with_last: bool,
) -> dict[str, dict[str, float]]:
    """Precision, recall and F1 by mark; `with_last` counts the passages' last words too."""
    right: Counter[str] = Counter()
    expected: Counter[str] = Counter()
    given: Counter[str] = Counter()
    for passage in passages:
        marks = mark(model, [word.word for word in passage])
        pairs = list(zip((word.mark for word in passage), marks, strict=True))
        for due, got in pairs if with_last else pairs[:-1]:
            got = FULL_WIDTH.get(got, got) or NO_MARK
            expected[due] += 1
            given[got] += 1
            right[due] += due == got
    rows = {}
    for name in MARKS:
        precision = right[name] / max(given[name], 1)
        recall = right[name] / max(expected[name], 1)
        f1 = 2 * precision * recall / max(precision + recall, 1e-9)
        rows[name] = {"f1": f1, "precision": precision, "recall": recall, "count": expected[name]}
    return rows


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--passages", type=int, default=PASSAGES)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    passages = list(test_passages(arguments.passages))
    report = {}
    for name, mark in (("punctuation", mark_offline), ("punctuation_online", mark_online)):
        model = ExportedPunctuation(arguments.models / name)
        rows = mark_figures(model, mark, passages, with_last=mark is mark_offline)
        report[name] = rows
        for sign, row in rows.items():
            shares = "  ".join(f"{key} {100 * row[key]:5.1f} %" for key in list(row)[:3])
            print(f"{name:20s} {sign}  {shares}  of {row['count']}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        text = json.dumps(report, ensure_ascii=False, indent=2)
        arguments.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
