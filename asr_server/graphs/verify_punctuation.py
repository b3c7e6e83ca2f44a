"""Proves that a prepared CT-Transformer sets the marks that FunASR's sets, in any batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_server.graphs.comparison import MAX_TIE_SHARE, TOLERANCE
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.figures import Figures
from asr_server.graphs.proof_batches import shuffled_batches
from asr_server.graphs.session import Outputs, Session

_LENGTHS = (20, 1, 37, 2, 60, 5, 20, 120, 3, 44)
_VOCABULARY = 60  # ids of the proof's texts; any model has more words
_NO_WORD = -7  # no word's id


@dataclass(frozen=True)
class Text:
    """One window of words.

    Attributes:
        word_ids: int32 [T].
        vad_index: how many words of context it begins with.
    """

    word_ids: NDArray[np.int32]
    vad_index: int


@dataclass
class MarkFigures(Figures):
    """Counts of words, and of ties: another mark that scores as much."""

    words: int = 0
    ties: int = 0


def prove_punctuation(source: Path, work: Path, threads: int, optimise: bool) -> dict[str, float]:
    """Compare a prepared graph with FunASR's, and each text alone with itself in batches.

    Args:
        source: FunASR's graph.
        work: the prepared one.
        threads: CPU threads.
        optimise: False compares the graphs as written.

    Returns:
        Counts, and of how many sorts the marks were.

    Raises:
        PrepareError: they differ, or a text's marks depend on padding or neighbours.
    """
    texts = _make_texts()
    original = Session(source, threads, optimise)
    logits = [_run_original(original, text) for text in texts]
    del original
    model = Session(work, threads, optimise)
    against, independence = MarkFigures(), MarkFigures()
    for number, (text, wanted) in enumerate(zip(texts, logits, strict=True)):
        what = f"text {number} ({len(text.word_ids)} words)"
        (got,) = _cut(model(_feed([text])), [text])
        _compare(f"{what}, prepared against original", wanted, got, against)
        (got,) = _cut(model(_feed([text], 1 + number * 3)), [text])
        _compare(f"{what}, padded", wanted, got, independence)
    for numbers, extra, _ in shuffled_batches(len(texts), 5):
        batch = [texts[n] for n in numbers]
        for n, got in zip(numbers, _cut(model(_feed(batch, extra)), batch), strict=True):
            _compare(f"text {n}, in a batch of {len(batch)}", logits[n], got, independence)
    for figures in (against, independence):
        if figures.ties > max(1.0, MAX_TIE_SHARE * figures.words):
            raise PrepareError(f"{figures.ties} of {figures.words} marks differ within tolerance")
    sorts = len(set(np.concatenate([row.argmax(axis=-1) for row in logits]).tolist()))
    return {**against.as_dict("original"), **independence.as_dict("independence"), "marks": sorts}


def _make_texts() -> list[Text]:
    rng = np.random.default_rng(0)
    return [
        Text(
            rng.integers(1, _VOCABULARY, length).astype(np.int32),
            int(rng.integers(0, length + 1)) if number % 3 else 0,
        )
        for number, length in enumerate(_LENGTHS)
    ]


def _run_original(original: Session, text: Text) -> NDArray[np.float32]:
    """Return the logits [T, marks] of a text alone; a streaming graph gets its masks."""
    size, pause = len(text.word_ids), text.vad_index
    vad_mask = np.ones((size, size), np.float32)
    if 0 < pause < size:
        vad_mask[: pause - 1, pause:] = 0.0
    feed = {
        "inputs": text.word_ids[None],
        "text_lengths": np.array([size]),
        "vad_masks": vad_mask[None, None],
        "sub_masks": vad_mask[None, None],
    }
    logits: NDArray[np.float32] = original(feed)["logits"][0]
    return logits


def _feed(texts: Sequence[Text], extra: int = 0) -> Outputs:
    """Batch texts, padded to the longest and `extra` words more with what is no word."""
    longest = max(len(text.word_ids) for text in texts) + extra
    word_ids = np.full((len(texts), longest), _NO_WORD, np.int32)
    for target, text in zip(word_ids, texts, strict=True):
        target[: len(text.word_ids)] = text.word_ids
    return {
        "word_ids": word_ids,
        "word_lengths": np.array([[len(text.word_ids)] for text in texts], np.int32),
        "vad_indexes": np.array([[text.vad_index] for text in texts], np.int32),
    }


def _cut(outputs: Outputs, texts: Sequence[Text]) -> list[NDArray[np.int32]]:
    """Return each text's own marks, after a check that the rest is zero."""
    rows = []
    for marks, text in zip(outputs["punctuations"], texts, strict=True):
        if marks[len(text.word_ids) :].any():
            raise PrepareError("punctuations: expected zeros beyond a text's own words")
        rows.append(marks[: len(text.word_ids)])
    return rows


def _compare(
    what: str, logits: NDArray[np.float32], marks: NDArray[np.int32], figures: MarkFigures
) -> None:
    chosen = np.take_along_axis(logits, marks[:, None].astype(np.int64), axis=1)[:, 0]
    wrong = int((logits.max(axis=1) - chosen > TOLERANCE).sum())
    if wrong:
        raise PrepareError(f"{what}: {wrong} of {len(marks)} marks differ")
    figures.rows += 1
    figures.words += len(marks)
    figures.ties += int((marks != logits.argmax(axis=1)).sum())
