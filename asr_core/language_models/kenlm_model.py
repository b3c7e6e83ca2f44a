"""Scores tokens by a model in KenLM's binary form, through KenLM's own library.

The library maps the file, so all processes share one copy of it in memory.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path
from typing import Any

from asr_core.language_models.ngrams import END

MAGIC = b"mmap lm http://kheafield.com/code"  # what binary files begin with
_LN_10 = math.log(10)
_REMEMBERED = 1 << 16


class KenlmModel:
    """Scores the tokens of a recogniser; an `asr_core.decoding.LanguageModel`.

    A state is KenLM's own. Tokens that are no words of the model are its `<unk>`.

    Args:
        path: the binary file.
        tokens: the recogniser's vocabulary, id to token.

    Raises:
        ValueError: the library cannot read it, or it is not installed.
    """

    def __init__(self, path: Path, tokens: Sequence[str]) -> None:
        self._model, self._new_state = _load(path)
        self._tokens = list(tokens)
        self._remembered: dict[tuple[Hashable, int], tuple[Hashable, float]] = {}
        self._start: Any = self._new_state()
        self._model.BeginSentenceWrite(self._start)

    def begin(self) -> Hashable:
        """Return the state before the first token of a sentence."""
        start: Hashable = self._start
        return start

    def score(self, state: Hashable, token_id: int) -> tuple[Hashable, float]:
        """Return the state after a token, and the token's natural-log probability."""
        key = (state, token_id)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self._score(state, self._tokens[token_id])
        return found

    def end(self, state: Hashable) -> float:
        """Return the natural-log probability that the sentence ends after a state."""
        return self._score(state, END)[1]

    def knows(self, token: str) -> bool:
        """Tell whether a token is a word of the model."""
        return token in self._model

    def _score(self, state: Hashable, word: str) -> tuple[Hashable, float]:
        following: Any = self._new_state()
        return following, self._model.BaseScore(state, word, following) * _LN_10


def _load(path: Path) -> tuple[Any, Callable[[], Any]]:
    """Return the library's model of a file, and what makes an empty state."""
    try:
        import kenlm
    except ImportError:
        raise ValueError(
            f"{path}: needs KenLM's library, which builds from source: pip install kenlm; an ARPA "
            "file needs nothing"
        ) from None
    try:
        return kenlm.Model(str(path)), kenlm.State
    except (OSError, RuntimeError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected a model in KenLM's binary form, got {reason}") from None
