"""Hotwords: words that a recogniser is told to expect, as clients and FunASR's files write them.

A weight may follow each word. Models with neural hotwords know no weights: they are read, so that
lists written for FunASR's decoders can be used, and have no effect.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MAX_HOTWORD_TOKENS = 10  # per hotword; what FunASR exports the embedder for
PARAMETER = "hotwords"  # of a request
SEGMENTATION_FILE = "seg_dict"  # English words in the vocabulary's pieces, with some models

_SEPARATORS = re.compile(r"[\s,，、;；]+")
_LETTERS_OR_CHARACTER = re.compile(r"[a-zA-Z']+|\S")
_NUMBER = re.compile(r"[+-]?\d+(\.\d+)?", re.ASCII)
_FORMS = (
    "words separated by spaces, commas or lines, each perhaps followed by its weight; "
    'a JSON list ["word", ...]; or a JSON object {"word": weight, ...}'
)


@dataclass(frozen=True)
class Hotword:
    """A word or short phrase.

    Attributes:
        text: as written.
        weight: None where none was given; of no effect.
    """

    text: str
    weight: float | None = None


def read_parameter(parameters: str) -> str:
    """Return the hotwords of a request, "" where it names none.

    Args:
        parameters: the request's, a JSON object.

    Raises:
        ValueError: they are not text.
    """
    value = json.loads(parameters or "{}").get(PARAMETER, "")
    if not isinstance(value, str):
        raise ValueError(f"{PARAMETER}: expected text, got {type(value).__name__}")
    return value


def refuse_hotwords(text: str, model: str) -> None:
    """Raise `ValueError` where hotwords are given to a model that takes none.

    Args:
        model: what it is, for the message.
    """
    if parse_hotwords(text):
        raise ValueError(
            f"{PARAMETER}: {model} takes none; expected a contextual or SeACo Paraformer"
        )


def parse_hotwords(text: str) -> list[Hotword]:
    """Read hotwords in any form; of a word that is given twice the last weight counts.

    In plain text a number behind a word in its line is the word's weight (`阿里巴巴 20`), and
    spaces separate words; JSON can hold a word that is a number and one with spaces.

    Raises:
        ValueError: it is neither plain text nor one of the JSON forms.
    """
    words: dict[str, Hotword] = {}
    for word in _parse_json(text) if text.lstrip()[:1] in ("{", "[") else _parse_plain(text):
        words[word.text] = word
    return list(words.values())


def _parse_plain(text: str) -> list[Hotword]:
    words: list[Hotword] = []
    for line in text.splitlines():
        can_weigh = False  # a number would be the weight of the word before it
        for field in filter(None, _SEPARATORS.split(line)):
            if can_weigh and _NUMBER.fullmatch(field):
                words[-1] = Hotword(words[-1].text, float(field))
                can_weigh = False
            else:
                words.append(Hotword(field))
                can_weigh = True
    return words


def _parse_json(text: str) -> list[Hotword]:
    try:
        value: Any = json.loads(text)
    except ValueError as error:
        raise ValueError(f"{PARAMETER}: expected {_FORMS}; got broken JSON ({error})") from None
    entries = value.items() if isinstance(value, dict) else [(word, None) for word in value]
    words = []
    for word, weight in entries:
        if not isinstance(word, str):
            raise ValueError(f"{PARAMETER}: expected {_FORMS}; got the word {json.dumps(word)}")
        if isinstance(weight, bool) or not isinstance(weight, (int, float, type(None))):
            raise ValueError(
                f"{PARAMETER}: expected a number as the weight of {word!r}, "
                f"got {json.dumps(weight, ensure_ascii=False)}"
            )
        if word.strip():
            words.append(Hotword(word.strip(), None if weight is None else float(weight)))
    return words


class HotwordTokenizer:
    """Turns hotwords into ids of the vocabulary, a character each.

    As `funasr_onnx` does; English words that `segmentation` knows become its pieces instead, as in
    FunASR's PyTorch and C++ runtimes, since that is how the models are trained. What the vocabulary
    has in lower case only is written so.

    Args:
        pieces: the vocabulary, id to piece.
        segmentation: lower-case words to their pieces.
    """

    def __init__(
        self, pieces: Sequence[str], segmentation: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self._ids = {piece: number for number, piece in enumerate(pieces)}
        self._segmentation = segmentation or {}

    def __call__(self, word: str) -> tuple[int, ...]:
        """Return the ids of one hotword, at least one.

        Raises:
            ValueError: the vocabulary lacks a character, or there are too many.
        """
        pieces: list[str] = []
        for part in _LETTERS_OR_CHARACTER.findall(word):
            pieces += self._segmentation.get(part.lower(), part)
        ids = tuple(self._id(piece, word) for piece in pieces)
        if len(ids) > MAX_HOTWORD_TOKENS:
            raise ValueError(
                f"hotword {word!r}: expected at most {MAX_HOTWORD_TOKENS} characters, "
                f"got {len(ids)}"
            )
        return ids

    def _id(self, piece: str, word: str) -> int:
        for form in (piece, piece.lower()):
            if form in self._ids:
                return self._ids[form]
        raise ValueError(f"hotword {word!r}: the model's vocabulary has no {piece!r}")


def load_segmentation(path: Path) -> dict[str, list[str]]:
    """Read FunASR's `seg_dict`: a word and its pieces a line; empty where there is no file."""
    if not path.is_file():
        return {}
    lines = map(str.split, path.read_text(encoding="utf-8").splitlines())
    return {fields[0]: fields[1:] for fields in lines if len(fields) > 1}
