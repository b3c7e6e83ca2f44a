"""Measures how far eight candidates decode as all tokens do, by a graph in FunASR's form.

    python -m lab.training.evaluate_graphs --models embedded_models

The graph is of the words and pairs of words of the training texts' grammar, the recogniser the
embedded Paraformer on the held-out noisy Mandarin set. `kaldi-decoder`, called directly with all
log-probabilities, is what the texts are compared with.
"""

from __future__ import annotations

import argparse
import random
import tempfile
from collections import Counter
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from asr_contract import character_error_rate
from asr_core.features import load_frontend
from asr_core.language_models import GRAPH_FILE, TlgDecoder, TlgOptions
from asr_core.paraformer import load_pieces, paraformer_inputs, silent_ids
from asr_server.graphs.session import Session
from asr_server.graphs.token_ids import CANDIDATES
from tests.tlg import direct, write_graph

from .corpus import make_grammar
from .evaluate_hotwords import LANGUAGE, reported_recordings
from .evaluate_language_models import SEED
from .recognisers import best_candidates


class Texts(NamedTuple):
    """Texts, or tokens of one: the recogniser's best, and by the graph from all and from eight."""

    best: list[Any]
    direct: list[Any]
    all_candidates: list[Any]
    eight_candidates: list[Any]


SENTENCES = 20_000
LEAST_PAIRS = 20  # of a pair of words that the graph knows
BACK_OFF = 0.3  # which `write_graph` gives to other words after a word


def write_grammar_graph(folder: Path, tokens: list[str]) -> None:
    """Write a graph of the grammar's words, none of whose sentences is held out."""
    grammar = make_grammar(LANGUAGE, random.Random(SEED))
    words: Counter[str] = Counter()
    pairs: Counter[tuple[str, str]] = Counter()
    for _ in range(SENTENCES):
        sentence = grammar.sentence()
        if sentence.held_out():
            continue
        said = [word.text for word in sentence.words if not word.is_punctuation]
        words.update(said)
        pairs.update(pairwise(said))
    total = words.total()
    write_graph(
        folder,
        tokens,
        {word: " ".join(word) for word in words},
        {word: count / total for word, count in words.items()},
        {
            pair: (1 - BACK_OFF) * count / words[pair[0]]
            for pair, count in pairs.items()
            if count >= LEAST_PAIRS
        },
    )


def main() -> None:
    """Parse options, decode, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--models", type=Path, default=Path("embedded_models"))
    parser.add_argument("--cache", type=Path, default=Path(".cache/heldout"))
    options = parser.parse_args()
    model_dir = options.models / "paraformer"
    pieces, silent = load_pieces(model_dir), silent_ids(load_pieces(model_dir))
    frontend = load_frontend(model_dir)
    graph = Session(model_dir / "model.onnx", threads=1, optimise=True)
    nothing: NDArray[np.float32] = np.zeros((1, 1), np.float32)
    said, texts = [], Texts([], [], [], [])
    with tempfile.TemporaryDirectory() as scratch:
        write_grammar_graph(Path(scratch), pieces)
        path = Path(scratch) / GRAPH_FILE
        decode = TlgDecoder(path, len(pieces), TlgOptions())
        for text, waveform in reported_recordings(options.cache):
            logits, *_ = graph(paraformer_inputs([frontend(waveform)], nothing)).values()
            log_probs = np.ascontiguousarray(logits[0, :-1])  # the last step is the text's end
            ids, scores = best_candidates(log_probs, len(pieces))
            decoded = Texts(
                log_probs.argmax(-1).tolist(),
                direct(path, log_probs),
                decode(ids, scores)[0].tolist(),
                decode(ids[:, :CANDIDATES], scores[:, :CANDIDATES])[0].tolist(),
            )
            said.append(text)
            for column, tokens in zip(texts, decoded, strict=True):
                column.append("".join(pieces[token] for token in tokens if token not in silent))
    for name, column in texts._asdict().items():
        same = sum(map(str.__eq__, column, texts.direct))
        rate = character_error_rate(said, column)
        print(f"{name}: as directly in {same} of {len(said)}, CER {rate:.2%}")


if __name__ == "__main__":
    main()
