"""Requests' hotwords and the server's own as one scorer."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr_contract import Hotword, parse_hotwords
from asr_contract.text_files import read_text
from asr_core.decoding.hotword_trie import (
    DEFAULT_INCREMENT,
    DEFAULT_WEIGHT,
    HotwordScorer,
    HotwordTrie,
)
from asr_core.decoding.spelling import Speller

SERVER_LIST = "hotwords.txt"
MAX_HOTWORDS = 10_000  # of a request


@dataclass(frozen=True)
class HotwordSettings:
    """How hotwords count in a model's search.

    Attributes:
        increment: of each token of a hotword, on FunASR's scale (`fst_inc_wts`); 0 leaves hotwords
            to what else the model has for them.
        max_hotwords: of a request.
        folder: holds the server's own, None for the model's.
    """

    increment: float = DEFAULT_INCREMENT
    max_hotwords: int = MAX_HOTWORDS
    folder: Path | None = None


class _Read(NamedTuple):
    """A request's hotwords: the scorer, None where there are none, and what is wrong with some."""

    scorer: HotwordScorer | None
    problems: tuple[str, ...]


class HotwordLists:
    """Makes a scorer of a request's hotwords and the server's own, which are compiled once.

    Args:
        spell: a word to its spellings.
        server_words: added to every request's.
        increment: of each token of a hotword, on FunASR's scale (`fst_inc_wts`); 0 for a search
            without hotwords.
        max_hotwords: of a request.
    """

    def __init__(
        self,
        spell: Speller,
        server_words: Iterable[Hotword] = (),
        increment: float = DEFAULT_INCREMENT,
        max_hotwords: int = MAX_HOTWORDS,
    ) -> None:
        self._spell = spell
        self._increment = increment
        self._max_hotwords = max_hotwords
        self._server_trie, problems = self._compile(server_words if increment else ())
        for problem in problems:
            logging.getLogger(__name__).warning("%s: left out: %s", SERVER_LIST, problem)
        self._server_only = _Read(self._scorer([self._server_trie]), ())
        # The same list comes with every request of a caller.
        self._read = lru_cache(maxsize=64)(self._read_request)

    def scorer(self, text: str) -> HotwordScorer | None:
        """Return what scores a request's hotwords and the server's, None where there are none.

        Args:
            text: as `parse_hotwords` reads it, "" for none.

        Raises:
            ValueError: it cannot be read, or the words are too many.
        """
        return self._read(text).scorer if text else self._server_only.scorer

    def left_out(self, text: str) -> tuple[str, ...]:
        """Return what is wrong with each of a request's hotwords that is not used.

        Raises:
            ValueError: as for `scorer`.
        """
        return self._read(text).problems if text else ()

    def _read_request(self, text: str) -> _Read:
        words = parse_hotwords(text)
        if len(words) > self._max_hotwords:
            raise ValueError(
                f"hotwords: expected at most {self._max_hotwords} (max_hotwords), got {len(words)}"
            )
        if not self._increment:
            reason = "hotwords do not count in this model's search (hotword_increment is 0)"
            return _Read(None, tuple(f"hotword {word.text!r}: {reason}" for word in words))
        trie, problems = self._compile(words)
        return _Read(self._scorer([self._server_trie, trie]), problems)

    def _compile(self, words: Iterable[Hotword]) -> tuple[HotwordTrie, tuple[str, ...]]:
        spelt = []
        problems = []
        for word in words:
            weight = DEFAULT_WEIGHT if word.weight is None else word.weight
            try:
                spelt += [(ids, weight) for ids in self._spell(word.text)]
            except ValueError as error:
                problems.append(str(error))
        return HotwordTrie(spelt), tuple(problems)

    def _scorer(self, tries: Iterable[HotwordTrie]) -> HotwordScorer | None:
        filled = [trie for trie in tries if len(trie)]
        return HotwordScorer(filled, self._increment, self._spell.joints) if filled else None


def repeat_left_out(problems: Sequence[str], num_rows: int) -> NDArray[np.object_]:
    """Give each row of a request what is wrong with its hotwords: STRING [R, n]."""
    repeated = np.empty((num_rows, len(problems)), np.object_)
    repeated[:] = list(problems)
    return repeated


def read_server_list(folder: Path) -> list[Hotword]:
    """Read the hotwords of a server, `hotwords.txt`; none where there is no file.

    Args:
        folder: of the Triton model, above its version.

    Raises:
        ValueError: it cannot be read.
    """
    path = folder / SERVER_LIST
    if not path.is_file():
        return []
    try:
        return parse_hotwords(read_text(path))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error
