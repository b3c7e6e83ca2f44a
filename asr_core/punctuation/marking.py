"""CT-Transformer over many texts at a time, with the encoder injected."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from asr_contract.text_files import read_json
from asr_core.config import load_config
from asr_core.punctuation.marks import (
    MarkTable,
    make_mark_table,
    split_words,
    write_words,
)
from asr_core.punctuation.own_marks import ended, without_doubles

Int = NDArray[np.int32]

WINDOW_WORDS = 20  # that each run adds to the unfinished sentence
LONG_SENTENCE = 200  # words, beyond which a sentence is ended at a comma
LONGEST_WINDOW = 500  # words, beyond which words go out without any mark that ends a sentence


class Tagger(Protocol):
    """The encoder graph; a row's result does not depend on padding or on the others."""

    def __call__(self, *, word_ids: Int, word_lengths: Int, vad_indexes: Int) -> Int:
        """Choose the mark after each word of a batch.

        Args:
            word_ids: [B, T].
            word_lengths: [B, 1].
            vad_indexes: [B, 1], how many words of context a row begins with; an offline model
                takes no notice.

        Returns:
            Mark ids [B, T].
        """


@dataclass(frozen=True)
class PunctuationModel:
    """What a punctuation model consists of besides its graph.

    Attributes:
        word_ids: the vocabulary.
        unknown_id: of any other word.
        table: the marks.
    """

    word_ids: Mapping[str, int]
    unknown_id: int
    table: MarkTable


def load_punctuation(model_dir: Path) -> PunctuationModel:
    """Read `config.yaml` and `tokens.json`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one is not what it should be.
    """
    table = make_mark_table(load_config(model_dir)["model_conf"]["punc_list"])
    path = model_dir / "tokens.json"
    tokens = read_json(path)
    if not isinstance(tokens, list) or not tokens:
        raise ValueError(f"{path}: expected a list of words, got {type(tokens).__name__}")
    word_ids = {word: number for number, word in enumerate(tokens)}
    return PunctuationModel(word_ids, word_ids[tokens[-1]], table)


class Passage:
    """A text on its way through the model, some twenty words at a time.

    Each window is the unfinished sentence and the next words. What lies before the last mark that
    ends a sentence is done with; the rest goes into the next window.

    Args:
        words: the text.
        context: how many of them come from before the pause.

    Source: FunASR `funasr_onnx/punc_bin.py`. Unlike there, a window does not grow beyond
    `LONGEST_WINDOW` words where the model sets no mark at all.
    """

    def __init__(self, model: PunctuationModel, words: Sequence[str], context: int = 0) -> None:
        self.words = words
        self.context = context
        self.mark_ids: list[int] = []  # of the words that are done with
        self._table = model.table
        self._ids = [model.word_ids.get(word, model.unknown_id) for word in words]
        self._end = min(WINDOW_WORDS, len(words))

    @property
    def window(self) -> list[int]:
        """Ids of the words to look at next; none when the text is done."""
        return self._ids[len(self.mark_ids) : self._end]

    def accept(self, mark_ids: Sequence[int]) -> None:
        """Take the marks of the window."""
        marks = list(mark_ids)
        if self._end < len(self._ids):
            marks = self._finished(marks)
        self.mark_ids += marks
        self._end = min(self._end + WINDOW_WORDS, len(self._ids))

    def _finished(self, marks: list[int]) -> list[int]:
        """Return the marks of a window's beginning that no later word can change."""
        end = last_sentence_end(marks, self._table)
        if end < 0 and len(marks) > LONG_SENTENCE:
            commas = [i for i in range(2, len(marks) - 1) if marks[i] == self._table.comma]
            if commas:
                end = commas[-1]
                marks[end] = self._table.period
        if end < 0 and len(marks) > LONGEST_WINDOW:
            end = len(marks) - WINDOW_WORDS - 1
        return marks[: end + 1]


def last_sentence_end(mark_ids: Sequence[int], table: MarkTable) -> int:
    """Return the index of the last mark that ends a sentence, -1 if there is none.

    The first two words and the last one do not count, as in FunASR.
    """
    for index in range(len(mark_ids) - 2, 1, -1):
        if table.ends_sentence(mark_ids[index]):
            return index
    return -1


def tag_passages(passages: Sequence[Passage], tag: Tagger, max_batch_size: int) -> None:
    """Let the model choose the marks of several texts, whose windows share runs."""
    while waiting := [passage for passage in passages if passage.window]:
        for start in range(0, len(waiting), max_batch_size):
            batch = waiting[start : start + max_batch_size]
            windows = [passage.window for passage in batch]
            word_ids = np.zeros((len(batch), max(map(len, windows))), np.int32)
            for target, window in zip(word_ids, windows, strict=True):
                target[: len(window)] = window
            marks = tag(
                word_ids=word_ids,
                word_lengths=np.array([[len(window)] for window in windows], np.int32),
                vad_indexes=np.array([[passage.context] for passage in batch], np.int32),
            )
            for passage, window, row in zip(batch, windows, marks, strict=True):
                passage.accept(row[: len(window)].tolist())


@dataclass(frozen=True)
class Punctuated:
    """A text with its marks.

    Attributes:
        text: as it is to be written.
        words: the words as they are written.
        marks: what is written after each word, "" for nothing. In a stream with context, one more
            comes first: the mark after the last word of the context.
        mark_ids: the ids of `marks`.
        context: words to begin the stream's next text with; empty offline.
    """

    text: str
    words: tuple[str, ...]
    marks: tuple[str, ...]
    mark_ids: tuple[int, ...]
    context: tuple[str, ...] = ()


def finish_offline(passage: Passage, table: MarkTable) -> Punctuated:
    """Write a whole text; it ends with a mark that ends a sentence, or with its own."""
    mark_ids = ended(passage.words, passage.mark_ids, table)
    written = write_words(passage.words, [table.marks[number] for number in mark_ids])
    return Punctuated(
        text="".join(word + mark for word, mark in written),
        words=tuple(word.strip() for word, _ in written),
        marks=tuple(mark for _, mark in written),
        mark_ids=tuple(mark_ids),
    )


def finish_streaming(passage: Passage, table: MarkTable) -> Punctuated:
    """Write the new part of a stream's text, after the mark of the last word before it.

    The new part's own last mark stays open: the next text begins with it. The context for that is
    the sentence that has not ended, or its last `LONGEST_WINDOW` words.
    """
    mark_ids = list(passage.mark_ids)
    rest = last_sentence_end(mark_ids, table) + 1
    known = passage.context
    if len(passage.words) == known:  # nothing new
        return Punctuated("", (), (), (), tuple(passage.words))
    mark_ids[-1] = table.none
    mark_ids, _ = without_doubles(passage.words, mark_ids, table)
    written = write_words(passage.words, [table.marks[number] for number in mark_ids])
    first = max(known - 1, 0)
    marks = tuple(mark for _, mark in written[first:])
    leading = marks[0] if known else ""
    return Punctuated(
        text=leading + "".join(word + mark for word, mark in written[known:]),
        words=tuple(word.strip() for word, _ in written[known:]),
        marks=marks,
        mark_ids=tuple(mark_ids[first:]),
        context=tuple(passage.words[rest:][-LONGEST_WINDOW:]),
    )


def read_context(words: Sequence[str]) -> list[str]:
    """Check the context that a client hands back; empty strings, which pad rows, are left out.

    Raises:
        ValueError: it is not the words that `split_words` makes.
    """
    context = [word for word in words if word]
    for word in context:
        if split_words(word) != [word]:
            raise ValueError(
                f"CACHE: expected the words of the last answer's CACHE, got {word!r}, which is "
                f"{len(split_words(word))} words"
            )
    return context
