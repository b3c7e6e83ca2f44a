"""The tokens of an installed recogniser, and texts written with them."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache
from pathlib import Path
from typing import Any

from asr_core.decoding import LETTERS_OR_CHARACTER, SPACE_MARK, PieceSpeller
from asr_core.language_models import fingerprint
from asr_core.paraformer import SEGMENTATION_FILE, SPECIAL_PIECES, load_pieces, load_segmentation
from asr_core.sensevoice import TOKENIZER_NAME, strip_tags
from asr_server.errors import InstallError
from asr_server.models import VERSION
from asr_server.models.language_models import SCORING

_EXTRACTOR = "paraformer_feature_extractor"


def tokens_of(kind: str, repository: Path) -> list[str]:
    """Return the vocabulary of the recogniser that is installed, id to token.

    Raises:
        InstallError: none is.
    """
    folder = repository / SCORING[kind] / VERSION
    try:
        if kind != "sensevoice":
            return load_pieces(folder)
        tokenizer = _load_tokenizer(folder)
    except (OSError, RuntimeError):
        raise InstallError(
            f"{repository}: no {kind} model is installed; triton-asr-server install {kind} does"
        ) from None
    pieces: list[str] = tokenizer.id_to_piece([*range(tokenizer.get_piece_size())])
    return pieces


class TextTokens:
    """Writes texts with the tokens of an installed recogniser.

    Args:
        kind: of the recogniser.
        repository: it is installed in.

    Attributes:
        tokens: that can be in a text; what `ids` gives counts in these.
        made_for: `fingerprint` of the vocabulary.
        unknown: how many characters or words the vocabulary could not write so far.

    Raises:
        InstallError: none is installed.
    """

    def __init__(self, kind: str, repository: Path) -> None:
        vocabulary = tokens_of(kind, repository)
        self.made_for = fingerprint(vocabulary)
        self.unknown = 0
        self._pieces_of: Callable[[str], Iterator[str]]
        if kind == "sensevoice":
            self._pieces_of = _SentencePieces(_load_tokenizer(repository / SCORING[kind] / VERSION))
        else:
            folder = repository / (_EXTRACTOR if kind == "paraformer" else SCORING[kind]) / VERSION
            self._pieces_of = _Pieces(vocabulary, folder)
        unknown = "<unk>"
        self.tokens = [unknown]
        self.tokens += [t for t in vocabulary if t not in SPECIAL_PIECES and strip_tags(t)]
        self._ids = {token: number for number, token in enumerate(self.tokens)}

    def ids(self, text: str) -> list[int]:
        """Return a line as numbers of `tokens`, 0 for what the vocabulary cannot write."""
        found = [self._ids.get(piece, 0) for piece in self._pieces_of(text)]
        self.unknown += found.count(0)
        return found

    def lines(self, texts: Iterable[str]) -> Iterator[list[int]]:
        """Yield each line that has a token in it."""
        for text in texts:
            if found := self.ids(text):
                yield found


class _Pieces:
    """A Paraformer's: characters, and pieces of English words; it writes no marks."""

    def __init__(self, vocabulary: Sequence[str], folder: Path) -> None:
        spell = PieceSpeller(vocabulary, load_segmentation(folder / SEGMENTATION_FILE))

        @lru_cache(1 << 16)
        def pieces(part: str) -> tuple[str, ...]:
            try:
                return tuple(vocabulary[token] for token in spell(part)[0])
            except ValueError:
                return () if unicodedata.category(part[0])[0] in "PS" else ("",)

        self._pieces = pieces

    def __call__(self, text: str) -> Iterator[str]:
        for part in LETTERS_OR_CHARACTER.findall(text):
            yield from self._pieces(part)


class _SentencePieces:
    """SenseVoice's, with marks and capitals as they are written."""

    def __init__(self, tokenizer: Any) -> None:
        self._tokenizer = tokenizer

    def __call__(self, text: str) -> Iterator[str]:
        pieces: list[str] = self._tokenizer.encode(text.strip(), out_type=str)
        # Texts begin with a space mark for SentencePiece; Chinese and Japanese are without.
        if len(pieces) > 1 and pieces[0] == SPACE_MARK and not pieces[1].isascii():
            pieces = pieces[1:]
        yield from pieces


def _load_tokenizer(folder: Path) -> Any:
    import sentencepiece  # only who needs it

    return sentencepiece.SentencePieceProcessor(model_file=str(folder / TOKENIZER_NAME))
