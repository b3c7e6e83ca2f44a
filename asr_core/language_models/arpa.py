"""ARPA files: n-gram models as text, as SRILM, KenLM and others write them.

Format: SRILM's manual page ngram-format(5).
"""

from __future__ import annotations

import gzip
import math
from array import array
from collections.abc import Iterator
from pathlib import Path
from typing import IO, cast

import numpy as np
from numpy.typing import NDArray

from asr_core.language_models.ngrams import Ngrams, Nodes

LN_10 = math.log(10)
_MAX_READ_ORDER = 9  # KenLM's tools build at most six
_MADE_FOR = "# tokens sha256:"  # before the n-grams is room for comments; KenLM wants the mark


def read_arpa(path: Path) -> Ngrams:
    """Read a model; a name that ends in `.gz` is unpacked.

    Raises:
        OSError: it cannot be read.
        ValueError: it is no ARPA file, or says something that no model says.
    """
    reader = _Reader(path)
    try:
        with _open(path, "r") as file:
            return reader.read(enumerate(file, 1))
    except (EOFError, UnicodeDecodeError, gzip.BadGzipFile) as error:
        raise ValueError(f"{path}: expected an ARPA file in UTF-8, got {error}") from None


def write_arpa(ngrams: Ngrams, path: Path) -> None:
    """Write a model; a name that ends in `.gz` is packed."""
    with _open(path, "w") as file:
        if ngrams.made_for:
            file.write(f"{_MADE_FOR}{ngrams.made_for}\n\n")
        file.write("\\data\\\n")
        for order, size in enumerate(ngrams.sizes, 1):
            file.write(f"ngram {order}={size}\n")
        texts = [""]
        for order, (first, end) in enumerate(
            zip(ngrams.starts[:-1].tolist(), ngrams.starts[1:].tolist(), strict=True), 1
        ):
            file.write(f"\n\\{order}-grams:\n")
            log_probs = (ngrams.log_probs[first:end] / LN_10).tolist()
            backoffs = (ngrams.backoffs[first:end] / LN_10).tolist()
            base = int(ngrams.starts[order - 2]) if order > 1 else 0
            contexts = (ngrams.contexts[first:end] - base).tolist()
            words = ngrams.last_words[first:end].tolist()
            texts = [
                f"{texts[context]} {ngrams.words[word]}".lstrip()
                for context, word in zip(contexts, words, strict=True)
            ]
            for text, log_prob, backoff in zip(texts, log_probs, backoffs, strict=True):
                tail = f"\t{backoff:.7g}" if backoff else ""
                file.write(f"{log_prob:.7g}\t{text}{tail}\n")
        file.write("\n\\end\\\n")


def _open(path: Path, mode: str) -> IO[str]:
    encoding = "utf-8-sig" if mode == "r" else "utf-8"
    if path.suffix == ".gz":
        return cast(IO[str], gzip.open(path, f"{mode}t", encoding=encoding, newline="\n"))
    return path.open(mode, encoding=encoding, newline="\n")


class _Reader:
    """Reads the sections of one file, each n-gram by the number of its line."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._made_for = ""
        self._words: dict[str, int] = {}
        # Of single words onwards, node 0 before them.
        self._contexts: list[Nodes] = [np.array([-1], np.int64)]
        self._last_words: list[Nodes] = [np.array([-1], np.int64)]
        self._log_probs: list[NDArray[np.float32]] = [np.zeros(1, np.float32)]
        self._backoffs: list[NDArray[np.float32]] = [np.zeros(1, np.float32)]

    def read(self, lines: Iterator[tuple[int, str]]) -> Ngrams:
        sizes, number, line = self._read_sizes(lines)
        for order in range(1, len(sizes) + 1):
            if line != f"\\{order}-grams:":
                raise self._unexpected(number, f"\\{order}-grams:", line)
            number, line = self._read_section(lines, order, sizes[order - 1])
        if line != "\\end\\":
            raise self._unexpected(number, "\\end\\", line)
        return Ngrams(
            list(self._words),
            sizes,
            np.concatenate(self._contexts),
            np.concatenate(self._last_words),
            np.concatenate(self._log_probs),
            np.concatenate(self._backoffs),
            self._made_for,
        )

    def _read_sizes(self, lines: Iterator[tuple[int, str]]) -> tuple[list[int], int, str]:
        """Return the counts of the header, and the line behind it."""
        sizes: list[int] = []
        begun = False
        for number, raw in lines:
            line = raw.strip()
            if not begun:
                begun = line == "\\data\\"  # what stands before it is a comment
                if line.startswith(_MADE_FOR):
                    self._made_for = line.removeprefix(_MADE_FOR)
            elif line.startswith("\\"):
                if not sizes:
                    raise self._unexpected(number, "ngram 1=COUNT", line)
                return sizes, number, line
            elif line:
                name, _, count = line.partition("=")
                if name.split() != ["ngram", str(len(sizes) + 1)] or not count.strip().isdigit():
                    raise self._unexpected(number, f"ngram {len(sizes) + 1}=COUNT", line)
                sizes.append(int(count))
                if len(sizes) > _MAX_READ_ORDER:
                    raise self._unexpected(
                        number, f"n-grams of at most {_MAX_READ_ORDER} words", line
                    )
        raise ValueError(f"{self._path}: expected an ARPA file, got no n-grams after \\data\\")

    def _read_section(
        self, lines: Iterator[tuple[int, str]], order: int, size: int
    ) -> tuple[int, str]:
        """Read the n-grams of one length; return the line behind them."""
        words, log_probs, backoffs = array("q"), array("f"), array("f")
        known = self._words
        for number, raw in lines:
            line = raw.strip()
            if not line:
                continue
            if line[0] == "\\":
                break
            fields = line.split()
            if len(fields) - order not in (1, 2):
                raise self._unexpected(number, f"LOG10 {order} words [BACKOFF]", line)
            try:
                log_prob = float(fields[0])
                backoff = float(fields[-1]) if len(fields) == order + 2 else 0.0
            except ValueError:
                raise self._unexpected(number, f"LOG10 {order} words [BACKOFF]", line) from None
            if not (log_prob <= 1e-6 and -math.inf < backoff < math.inf):
                raise self._unexpected(number, "the log of a probability", line)
            if order == 1:
                if fields[1] in known:
                    raise self._unexpected(number, "each word once", line)
                known[fields[1]] = len(known)
            try:
                words.extend([known[word] for word in fields[1 : order + 1]])
            except KeyError as error:
                raise self._unexpected(
                    number, "words that are among the 1-grams", str(error.args[0])
                ) from None
            log_probs.append(max(log_prob, -99.0))
            backoffs.append(max(backoff, -99.0))
        else:
            raise ValueError(f"{self._path}: expected \\end\\, got the end of the file")
        if len(log_probs) != size:
            raise ValueError(
                f"{self._path}: expected {size} {order}-grams as the header says, "
                f"got {len(log_probs)}"
            )
        rows = np.frombuffer(words, np.int64).reshape(-1, order) if size else np.zeros((0, order))
        self._add(rows.astype(np.int64), np.array(log_probs), np.array(backoffs))
        return number, line

    def _add(
        self, rows: Nodes, log_probs: NDArray[np.float32], backoffs: NDArray[np.float32]
    ) -> None:
        """Take in the n-grams of one length, rows of words int64 [N, order]."""
        contexts = self._nodes(rows[:, :-1])
        if (missing := np.flatnonzero(contexts < 0)).size:
            names = list(self._words)
            text = " ".join(names[word] for word in rows[missing[0]])
            raise ValueError(f"{self._path}: expected the context of {text!r} to be an n-gram too")
        sorting = np.lexsort((rows[:, -1], contexts))
        contexts, words = contexts[sorting], rows[sorting, -1]
        same = (contexts[1:] == contexts[:-1]) & (words[1:] == words[:-1])
        if same.any():
            names = list(self._words)
            text = " ".join(names[word] for word in rows[sorting[int(np.argmax(same))]])
            raise ValueError(f"{self._path}: expected each n-gram once, got {text!r} again")
        self._contexts.append(contexts)
        self._last_words.append(words)
        self._log_probs.append((log_probs[sorting] * LN_10).astype(np.float32))
        self._backoffs.append((backoffs[sorting] * LN_10).astype(np.float32))

    def _nodes(self, rows: Nodes) -> Nodes:
        """Return the nodes of n-grams that were read before, -1 for what is none."""
        nodes = np.zeros(len(rows), np.int64)
        first = 1
        for level in range(rows.shape[1]):
            keys = self._contexts[level + 1] * len(self._words) + self._last_words[level + 1]
            wanted = nodes * len(self._words) + rows[:, level]
            if not len(keys):
                return np.full(len(rows), -1, np.int64)
            found = np.minimum(np.searchsorted(keys, wanted), len(keys) - 1)
            hit = (keys[found] == wanted) & (nodes >= 0)
            nodes = np.where(hit, first + found, -1)
            first += len(keys)
        return nodes

    def _unexpected(self, number: int, expected: str, got: str) -> ValueError:
        return ValueError(f"{self._path}, line {number}: expected {expected}, got {got[:80]!r}")
