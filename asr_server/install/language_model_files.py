"""The forms in which language models come: how they are told apart, read, checked and written."""

from __future__ import annotations

import struct
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract.text_files import read_text
from asr_core.config import read_config
from asr_core.language_models import (
    END,
    GRAPH_FILE,
    KENLM_FILE,
    KENLM_MAGIC,
    START,
    UNKNOWN,
    Form,
    KenlmModel,
    Ngrams,
    fingerprint,
    import_kaldi,
    read_arpa,
    read_graph,
    save_ngrams,
)
from asr_server.errors import InstallError
from asr_server.install.store import link_or_copy

LEXICON_FILE, WORDS_FILE = "lexicon.txt", "config.yaml"
PATTERNS = (GRAPH_FILE, LEXICON_FILE, WORDS_FILE, "*.arpa", "*.arpa.gz", "*.klm")
LEAST_COVERAGE = 0.5  # of a language model's words that are the recogniser's tokens
_ARC = np.dtype([("token", "<i4"), ("word", "<i4"), ("cost", "<f4"), ("state", "<i4")])
_GRAPHS_ARE_FOR = ("paraformer",)
_LEAST_SPELLED = 0.9  # of the looked-at arcs that bear a word, those with a token of its spelling
_LOOKED_AT = 20_000
_ENDINGS = (".arpa", ".arpa.gz", ".lm", ".lm.gz", ".klm", ".bin", ".binary")


@dataclass(frozen=True)
class LanguageModelSource:
    """A language model that has been read.

    Attributes:
        form: as it will be kept.
        paths: its files.
        summary: what it is, for people.
        check: takes the kind of a recogniser and its tokens; raises InstallError where it does not
            fit them.
        write: puts it into an empty folder as `load_language_model` reads it.
    """

    form: Form
    paths: tuple[Path, ...]
    summary: str
    check: Callable[[str, Sequence[str]], None]
    write: Callable[[Path], None]


def read_source(path: Path) -> LanguageModelSource:
    """Read a file or a directory.

    Raises:
        InstallError: it is no language model.
        ValueError: it is broken, or a package that reads it is not installed.
    """
    if path.is_dir():
        if (path / GRAPH_FILE).is_file():
            return _read_graph(path)
        found = [file for file in sorted(path.iterdir()) if file.name.endswith(_ENDINGS)]
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise InstallError(
                f"{path}: expected {GRAPH_FILE} or one file that ends in "
                f"{', '.join(_ENDINGS)}; got {names}"
            )
        path = found[0]
    with path.open("rb") as file:
        start = file.read(len(KENLM_MAGIC))
    if start == KENLM_MAGIC:
        return _read_kenlm(path)
    if path.name.endswith(".fst"):
        raise InstallError(
            f"{path}: expected the directory with {GRAPH_FILE}, {LEXICON_FILE} and {WORDS_FILE}"
        )
    return _read_ngrams(path)


def _read_ngrams(path: Path) -> LanguageModelSource:
    ngrams: Ngrams = read_arpa(path)
    words = [word for word in ngrams.words if word not in (START, END, UNKNOWN)]

    def check(kind: str, tokens: Sequence[str]) -> None:
        if ngrams.made_for and ngrams.made_for != fingerprint(tokens):
            raise InstallError(
                f"{path}: made by build-lm for other tokens than this {kind} model's; build it "
                "again for this one"
            )
        known = frozenset(tokens)
        _check_coverage(path, kind, words, [word in known for word in words])

    def write(folder: Path) -> None:
        save_ngrams(ngrams, folder)

    sizes = " + ".join(f"{size:,}" for size in ngrams.sizes)
    return LanguageModelSource("ngram", (path,), f"n-grams: {sizes}", check, write)


def _read_kenlm(path: Path) -> LanguageModelSource:
    KenlmModel(path, ())  # says so where it cannot be read

    def check(kind: str, tokens: Sequence[str]) -> None:
        model = KenlmModel(path, tokens)
        _check_coverage(path, kind, tokens, [model.knows(token) for token in tokens])

    def write(folder: Path) -> None:
        link_or_copy(path.resolve(), folder / KENLM_FILE)

    return LanguageModelSource("kenlm", (path,), "KenLM's binary form", check, write)


def _check_coverage(path: Path, kind: str, words: Sequence[str], known: Sequence[bool]) -> None:
    if sum(known) < LEAST_COVERAGE * len(words) or not words:
        missing = next((w for w, is_known in zip(words, known, strict=True) if not is_known), "")
        raise InstallError(
            f"{path}: expected n-grams of the tokens that {kind} writes; {sum(known)} of "
            f"{len(words)} are in both, {missing!r} is not. build-lm makes one of a text"
        )


def _read_graph(folder: Path) -> LanguageModelSource:
    path = folder / GRAPH_FILE
    missing = [n for n in (LEXICON_FILE, WORDS_FILE) if not (folder / n).is_file()]
    if missing:
        raise InstallError(f"{folder}: expected {', '.join(missing)} beside {GRAPH_FILE}")
    _, kaldifst = import_kaldi(path)

    graph = kaldifst.StdConstFst(read_graph(path))
    words = read_config(folder / WORDS_FILE).get("token_list")
    if not isinstance(words, list):
        raise InstallError(f"{folder / WORDS_FILE}: expected token_list, the words")
    lexicon = _read_lexicon(folder / LEXICON_FILE)
    arcs = _read_arcs(graph)

    def check(kind: str, tokens: Sequence[str]) -> None:
        if kind not in _GRAPHS_ARE_FOR:
            raise InstallError(
                f"{path}: is for {' and '.join(_GRAPHS_ARE_FOR)}, as FunASR uses it; {kind} takes "
                "n-grams (ARPA)"
            )
        inputs, outputs = arcs["token"], arcs["word"]
        for labels, limit, what in (
            (inputs, len(tokens) + 1, "tokens"),
            (outputs, len(words), "words"),
        ):
            if not len(labels) or labels.min() < 0 or labels.max() >= limit:
                raise InstallError(
                    f"{path}: expected labels of {what} below {limit}, got "
                    f"{labels.max() if len(labels) else 'none'}"
                )
        both = np.flatnonzero((inputs > 0) & (outputs > 0))[:_LOOKED_AT]
        spelled = [
            tokens[inputs[arc] - 1] in lexicon.get(str(words[outputs[arc]]), ()) for arc in both
        ]
        if not spelled or sum(spelled) < _LEAST_SPELLED * len(spelled):
            raise InstallError(
                f"{path}: made for other tokens than this {kind} model's: of {len(spelled)} arcs "
                f"with a word {sum(spelled)} bear a token of its spelling"
            )

    def write(target: Path) -> None:
        if not graph.write(str(target / GRAPH_FILE)):
            raise InstallError(f"{target}: cannot be written")

    summary = f"a graph of {len(arcs):,} arcs, {len(words):,} words"
    paths = (path, folder / LEXICON_FILE, folder / WORDS_FILE)
    return LanguageModelSource("tlg", paths, summary, check, write)


def _read_lexicon(path: Path) -> dict[str, frozenset[str]]:
    """Return the tokens of each word in all its spellings."""
    found: dict[str, frozenset[str]] = {}
    for line in read_text(path).splitlines():
        word, _, tokens = line.partition("\t")
        found[word] = found.get(word, frozenset()) | frozenset(tokens.split())
    return found


def _read_arcs(graph: Any) -> NDArray[np.void]:
    """Return all arcs of a constant graph, without asking the library for each.

    In its file they come last, and the header says how many there are. Source: OpenFst,
    `fst/fst.cc` (`FstHeader::Write`) and `fst/const-fst.h`.
    """
    with tempfile.TemporaryDirectory() as scratch:
        path = Path(scratch) / GRAPH_FILE
        graph.write(str(path))
        with path.open("rb") as file:
            file.read(4)  # the magic number
            for _ in range(2):  # types of the graph and of its arcs
                (length,) = struct.unpack("<i", file.read(4))
                file.read(length)
            *_, num_arcs = struct.unpack("<iiQqqq", file.read(40))
        first = path.stat().st_size - num_arcs * _ARC.itemsize
        return np.fromfile(path, _ARC, num_arcs, offset=first)
