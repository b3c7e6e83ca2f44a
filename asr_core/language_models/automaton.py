"""Scores tokens by an n-gram model that lies in files which all processes share.

What was weighed: KenLM's library needs a compiled package under the LGPL, and loads an ARPA file
anew in each process; these arrays are mapped, so one copy in memory serves all processes.
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract.text_files import read_json
from asr_core.language_models.ngrams import END, START, UNKNOWN, Ngrams

WORDS_FILE = "words.json"
_ARRAYS = {
    "last_words": np.int32,
    "log_probs": np.float32,
    "backoffs": np.float32,
    "children": np.int32,
    "suffixes": np.int32,
    "next_states": np.int32,
}
_REMEMBERED = 1 << 16  # scores kept of those asked for lately, 15 MB


def save_ngrams(ngrams: Ngrams, folder: Path) -> None:
    """Write what `NgramModel` reads, 24 bytes an n-gram, into an empty folder."""
    children, suffixes = ngrams.children, ngrams.suffixes
    # A state that no n-gram continues, and whose back-off costs nothing, is its ending's.
    is_state = (np.diff(children) > 0) | (ngrams.backoffs != 0)
    is_state[0] = True
    next_states = np.where(is_state, np.arange(len(is_state)), 0)
    for first, end in zip(ngrams.starts[:-1], ngrams.starts[1:], strict=True):
        nodes = first + np.flatnonzero(~is_state[first:end])
        next_states[nodes] = next_states[suffixes[nodes]]
    arrays: dict[str, NDArray[Any]] = {
        "last_words": ngrams.last_words,
        "log_probs": ngrams.log_probs,
        "backoffs": ngrams.backoffs,
        "children": children,
        "suffixes": suffixes,
        "next_states": next_states,
    }
    for name, values in arrays.items():
        np.save(folder / f"{name}.npy", values.astype(_ARRAYS[name]))
    (folder / WORDS_FILE).write_text(json.dumps(list(ngrams.words), ensure_ascii=False) + "\n")


class NgramModel:
    """Scores the tokens of a recogniser; an `asr_core.decoding.LanguageModel`.

    A state is a number: the node of the last tokens that the model knows something about. A token
    that is no word of the model is its `<unk>`, or as rare as its rarest word where it has none.

    Args:
        folder: as `save_ngrams` fills it.
        tokens: the recogniser's vocabulary, id to token.

    Raises:
        OSError: a file is missing.
        ValueError: one is not what it should be.
    """

    def __init__(self, folder: Path, tokens: Sequence[str]) -> None:
        names = read_json(folder / WORDS_FILE)
        arrays = {name: _map(folder / f"{name}.npy", kind) for name, kind in _ARRAYS.items()}
        lengths = {name: len(values) - (name == "children") for name, values in arrays.items()}
        if len({*lengths.values()}) != 1 or lengths["suffixes"] <= len(names):
            raise ValueError(f"{folder}: expected arrays of one length, got {lengths}")
        words = {name: number for number, name in enumerate(names)}
        self._words = [words.get(token, words.get(UNKNOWN, -1)) for token in tokens]
        self._last_words = arrays["last_words"].data
        self._log_probs = arrays["log_probs"].data
        self._backoffs = arrays["backoffs"].data
        self._children = arrays["children"].data
        self._suffixes = arrays["suffixes"].data
        self._next_states = arrays["next_states"].data
        spoken = [1 + number for name, number in words.items() if name not in (START, UNKNOWN)]
        self._rarest = float(arrays["log_probs"][spoken].min()) if spoken else 0.0
        self._end = words.get(END, -1)
        self._start = int(arrays["next_states"][1 + words[START]]) if START in words else 0
        self._remembered: dict[tuple[int, int], tuple[int, float]] = {}

    def begin(self) -> int:
        """Return the state before the first token of a sentence."""
        return self._start

    def score(self, state: int, token_id: int) -> tuple[int, float]:
        """Return the state after a token, and the token's natural-log probability."""
        key = (state, token_id)
        found = self._remembered.get(key)
        if found is None:
            if len(self._remembered) >= _REMEMBERED:
                self._remembered.clear()
            found = self._remembered[key] = self._score(state, self._words[token_id])
        return found

    def end(self, state: int) -> float:
        """Return the natural-log probability that the sentence ends after a state."""
        return self._score(state, self._end)[1] if self._end >= 0 else 0.0

    def _score(self, state: int, word: int) -> tuple[int, float]:
        """Look up the longest n-gram of a state and a word, the shorter ones at their price."""
        price = 0.0
        while True:
            first, end = self._children[state], self._children[state + 1]
            node = bisect_left(self._last_words, word, first, end)
            if node < end and self._last_words[node] == word:
                return self._next_states[node], price + self._log_probs[node]
            if state == 0:  # no word of the model
                return 0, price + self._rarest
            price += self._backoffs[state]
            state = self._suffixes[state]


def _map(path: Path, kind: type) -> NDArray[Any]:
    values: NDArray[Any] = np.load(path, mmap_mode="r", allow_pickle=False)
    if values.dtype != kind or values.ndim != 1:
        raise ValueError(f"{path}: expected {kind.__name__} [N], got {values.dtype} {values.shape}")
    return values
