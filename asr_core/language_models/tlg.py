"""Decodes with a graph of tokens, words and a word n-gram in one, as FunASR publishes them.

`TLG.fst` is OpenFst's: T lets a token repeat and the blank pass, L spells words in tokens, G weighs
their order. Its input labels are the ids of tokens plus one, its output labels places in the list
of words in `config.yaml`; `lexicon.txt` says how words are spelled. Sources: FunASR
`runtime/tools/fst`, `runtime/onnxruntime/src/wfst-decoder.cpp` (what feeds it, and the defaults of
its options); Kaldi's `FasterDecoder`, through `kaldi-decoder`.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

GRAPH_FILE = "TLG.fst"
_MIN_ACTIVE = 200  # hypotheses that no beam takes away, Kaldi's default


@dataclass(frozen=True)
class TlgOptions:
    """How the acoustics and the graph are weighed, by FunASR's names and defaults.

    Attributes:
        am_scale: of the recogniser's log-probabilities beside the graph's costs.
        global_beam: a hypothesis that costs this much more than the best is dropped.
    """

    am_scale: float = 10.0
    global_beam: float = 3.0


class TlgDecoder:
    """Finds the best path of a recording's candidates through a graph.

    Args:
        path: the graph, in any of OpenFst's forms; `const` is the smallest in memory.
        num_tokens: of the recogniser; the graph has been checked to speak of no others.
        options: what to weigh.

    Raises:
        ValueError: it cannot be read, or `kaldi-decoder` is not installed.
    """

    def __init__(self, path: Path, num_tokens: int, options: TlgOptions) -> None:
        self._kaldi, self._kaldifst = import_kaldi(path)
        self._graph = read_graph(path)
        self._num_tokens = num_tokens
        self._scale = np.float32(options.am_scale)
        self._config = self._kaldi.FasterDecoderOptions(
            beam=options.global_beam, min_active=_MIN_ACTIVE
        )

    def __call__(
        self, token_ids: NDArray[np.int32], log_probs: NDArray[np.float32]
    ) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        """Return the token of each decoder step on the best path, and its log-probability.

        A step that the graph takes as the repetition of the one before stays what it is: a
        Paraformer's steps are tokens, of which FunASR would write one where the graph says so.

        Args:
            token_ids: int32 [N, K], the best candidates of each step.
            log_probs: float32 [N, K], theirs; what the other tokens have is `floors`.

        Returns:
            int32 [N] and float32 [N].
        """
        if not len(token_ids):
            return np.zeros(0, np.int32), np.zeros(0, np.float32)
        scores = dense(token_ids, log_probs, self._num_tokens)
        weighed = scores * self._scale  # named: the library reads it, and does not keep it alive
        decoder = self._kaldi.FasterDecoder(self._graph, self._config)
        decoder.decode(self._kaldi.DecodableCtc(weighed))
        _, lattice = decoder.get_best_path()
        _, labels, *_ = self._kaldifst.get_linear_symbol_sequence(lattice)
        if len(labels) != len(token_ids):  # no path at all: what the recogniser says alone
            return token_ids[:, 0], log_probs[:, 0]
        chosen = np.array(labels, np.int32) - 1
        return chosen, scores[np.arange(len(chosen)), chosen]


def floors(log_probs: NDArray[np.float32], num_tokens: int) -> NDArray[np.float32]:
    """Return what each token has that is not among the candidates: float32 [N].

    They share what the candidates leave of the probability, each the same, and none has more than
    the last candidate.

    Args:
        log_probs: float32 [N, K], the best first.
        num_tokens: of the vocabulary.
    """
    others = max(num_tokens - log_probs.shape[1], 1)
    rest = np.maximum(1.0 - np.exp(log_probs.astype(np.float64)).sum(1), 1e-10)
    least: NDArray[np.float32] = np.minimum(np.log(rest / others), log_probs[:, -1])
    return least.astype(np.float32)


def dense(
    token_ids: NDArray[np.int32], log_probs: NDArray[np.float32], num_tokens: int
) -> NDArray[np.float32]:
    """Return all tokens' log-probabilities: float32 [N, num_tokens]."""
    full = np.repeat(floors(log_probs, num_tokens)[:, None], num_tokens, 1)
    np.put_along_axis(full, token_ids.astype(np.int64), log_probs, 1)
    return full


def import_kaldi(path: Path) -> tuple[Any, Any]:
    """Return the modules `kaldi_decoder` and `kaldifst`.

    Raises:
        ValueError: it is not installed, or `kaldifst` is not.
    """
    try:
        import kaldifst  # noqa: I001  # registers the classes that the decoder takes
        import kaldi_decoder
    except ImportError as error:
        raise ValueError(
            f'{path}: {error.name} is not installed: pip install "triton-asr[lm]"'
        ) from None
    return kaldi_decoder, kaldifst


def read_graph(path: Path) -> Any:
    """Return a `kaldifst` graph.

    Raises:
        ValueError: it is none.
    """
    import kaldifst

    try:
        graph = kaldifst.StdFst.read(str(path))
    except Exception as error:  # what the binding raises differs by version
        raise ValueError(f"{path}: expected a graph in OpenFst's form, got {error}") from None
    if graph is None:
        raise ValueError(f"{path}: expected a graph in OpenFst's form, got something else")
    if graph.start < 0:
        raise ValueError(f"{path}: expected a graph with states, got none")
    return graph
