"""From hotwords to the ids of a model's vocabulary."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from asr_contract.text_files import read_text
from asr_core.decoding import LETTERS_OR_CHARACTER

MAX_HOTWORD_TOKENS = 10  # per hotword; what FunASR exports the embedder for
SEGMENTATION_FILE = "seg_dict"  # English words in the vocabulary's pieces, with some models


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
        for part in LETTERS_OR_CHARACTER.findall(word):
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
    lines = map(str.split, read_text(path).splitlines())
    return {fields[0]: fields[1:] for fields in lines if len(fields) > 1}
