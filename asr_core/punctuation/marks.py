"""Marks of a punctuation model, and words with marks as text."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

NO_MARK = "_"
COMMA, ENUMERATION_COMMA, PERIOD, QUESTION = "，", "、", "。", "？"
SENTENCE_ENDS = frozenset({PERIOD, QUESTION})

_FULL_WIDTH = {",": COMMA, "?": QUESTION}  # as some models' configurations write them
_ASCII = {COMMA: ",", ENUMERATION_COMMA: ",", PERIOD: ".", QUESTION: "?"}
_UNKNOWN = "<unk>"


@dataclass(frozen=True)
class MarkTable:
    """The marks that a model knows, by id.

    Attributes:
        marks: what is written after the word, "" for nothing.
        none, comma, period: ids.
    """

    marks: tuple[str, ...]
    none: int
    comma: int
    period: int

    def ends_sentence(self, mark_id: int) -> bool:
        """Return whether a sentence ends with this mark."""
        return self.marks[mark_id] in SENTENCE_ENDS


def make_mark_table(punc_list: Sequence[str]) -> MarkTable:
    """Read `model_conf.punc_list` of a punctuation model's `config.yaml`.

    `<unk>`, which FunASR would write into the text, is no mark here.

    Raises:
        ValueError: a mark is missing.
    """
    names = [_FULL_WIDTH.get(name, name) for name in punc_list]
    missing = [name for name in (NO_MARK, COMMA, PERIOD) if name not in names]
    if missing:
        raise ValueError(f"punc_list: expected {' '.join(missing)} among {' '.join(punc_list)}")
    return MarkTable(
        marks=tuple("" if name in (NO_MARK, _UNKNOWN) else name for name in names),
        none=names.index(NO_MARK),
        comma=names.index(COMMA),
        period=names.index(PERIOD),
    )


def split_words(text: str) -> list[str]:
    """Split text into words: runs of ASCII characters, and each other character by itself.

    Source: FunASR `funasr_onnx/utils/utils.py`, `code_mix_split_words`.
    """
    words: list[str] = []
    for segment in text.split():
        run = ""
        for character in segment:
            if character.isascii():
                run += character
                continue
            if run:
                words.append(run)
                run = ""
            words.append(character)
        if run:
            words.append(run)
    return words


def write_words(words: Sequence[str], marks: Sequence[str]) -> list[tuple[str, str]]:
    """Return how each word, with the space before it, and its mark are written.

    ASCII words are separated by spaces and followed by ASCII marks, the first of a sentence begins
    with a capital. Chinese is written without spaces, with full-width marks.

    Source: FunASR `funasr/models/ct_transformer/model.py`, `inference` (`funasr_onnx` writes
    full-width marks after English too, and no capitals). Unlike there, text does not begin with a
    space, capitals within a word are kept, spaces do not depend on where a window ended, and an
    enumeration comma after English is a comma.
    """
    written = []
    previous, starts_sentence = "", True
    for word, mark in zip(words, marks, strict=True):
        is_ascii = word.isascii()
        text = word[0].upper() + word[1:] if is_ascii and starts_sentence else word
        space = " " if is_ascii and previous.isascii() and previous else ""
        written.append((space + text, _ASCII.get(mark, mark) if is_ascii else mark))
        previous, starts_sentence = word, mark in SENTENCE_ENDS
    return written
