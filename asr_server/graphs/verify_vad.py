"""Proves that a prepared FSMN-VAD says what FunASR's says, in any batch and cut in any pieces."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_core.features import NUM_MEL_BINS
from asr_server.graphs.comparison import TOLERANCE, largest
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.figures import Figures
from asr_server.graphs.proof_batches import GARBAGE, shuffled_batches
from asr_server.graphs.session import Outputs, Session
from asr_server.graphs.speech_like import speech_like_features
from asr_server.graphs.vad import IN_CACHE, OUT_CACHE

_PIECES = (60, 1, 30, 7, 6, 100, 2)  # frames of successive calls; a cache has some 20


@dataclass(frozen=True)
class Piece:
    """One call for one stream.

    Attributes:
        features: float32 [T, D].
        cache: float32 [L, P, C].
    """

    features: NDArray[np.float32]
    cache: NDArray[np.float32]


@dataclass
class PieceFigures(Figures):
    """Largest deviations of pieces."""

    max_prob_difference: float = 0.0
    max_cache_difference: float = 0.0


def prove_vad(
    source: Path, work: Path, silence_ids: Sequence[int], threads: int, optimise: bool
) -> dict[str, float]:
    """Compare a prepared VAD with FunASR's, and each piece alone with itself in batches.

    Args:
        source: FunASR's graph.
        work: the prepared one.
        silence_ids: the classes that mean silence.
        threads: CPU threads.
        optimise: False compares the graphs as written.

    Returns:
        Largest deviations and counts.

    Raises:
        PrepareError: they differ, or a piece depends on padding or neighbours.
    """
    pieces, expected = _run_original(Session(source, threads, optimise), silence_ids)
    model = Session(work, threads, optimise)
    against, independence = PieceFigures(), PieceFigures()
    alone = []
    for number, (piece, wanted) in enumerate(zip(pieces, expected, strict=True)):
        got = _cut(model(_feed([piece])), 0, piece)
        alone.append(got)
        what = f"piece {number} ({len(piece.features)} frames), prepared against original"
        _compare(what, wanted, got, against)
    amounts = ((1, 0.0), (17, GARBAGE), (100, float("nan")), (3, GARBAGE))
    for number, piece in enumerate(pieces):
        extra, padding = amounts[number % len(amounts)]
        got = _cut(model(_feed([piece], extra, padding)), 0, piece)
        _compare(f"piece {number}, {extra} frames of padding", alone[number], got, independence)
    for numbers, extra, padding in shuffled_batches(len(pieces), 9):
        outputs = model(_feed([pieces[n] for n in numbers], extra, padding))
        for index, n in enumerate(numbers):
            got = _cut(outputs, index, pieces[n])
            _compare(f"piece {n}, in a batch of {len(numbers)}", alone[n], got, independence)
    return {**against.as_dict("original"), **independence.as_dict("independence")}


def _run_original(
    original: Session, silence_ids: Sequence[int]
) -> tuple[list[Piece], list[Outputs]]:
    """Run two streams in pieces, each with the cache of the one before."""
    dim = original.input_shapes["speech"][-1]
    _, proj, frames, _ = original.input_shapes[f"{IN_CACHE}0"]
    num_layers = sum(name.startswith(IN_CACHE) for name in original.input_shapes)
    rng = np.random.default_rng(0)
    pieces, results = [], []
    for _ in range(2):
        cache = np.zeros((num_layers, proj, frames), np.float32)
        for count in _PIECES:
            piece = Piece(speech_like_features(rng, count, dim // NUM_MEL_BINS, 1), cache)
            feed: dict[str, Any] = {"speech": piece.features[None]}
            feed |= {f"{IN_CACHE}{i}": layer[None, :, :, None] for i, layer in enumerate(cache)}
            outputs = original(feed)
            cache = np.stack([outputs[f"{OUT_CACHE}{i}"][0, :, :, 0] for i in range(num_layers)])
            pieces.append(piece)
            silence = outputs["logits"][0][:, list(silence_ids)].sum(axis=1)
            results.append({"silence_probs": silence, "next_cache": cache})
    return pieces, results


def _feed(pieces: Sequence[Piece], extra: int = 0, padding: float = 0.0) -> Outputs:
    """Batch pieces, padded to the longest and `extra` frames more."""
    rng = np.random.default_rng(extra)
    longest = max(len(piece.features) for piece in pieces) + extra
    dim = pieces[0].features.shape[1]
    speech = rng.standard_normal((len(pieces), longest, dim)) * padding
    for target, piece in zip(speech, pieces, strict=True):
        target[: len(piece.features)] = piece.features
    return {
        "speech": speech.astype(np.float32),
        "speech_lengths": np.array([[len(piece.features)] for piece in pieces], np.int32),
        "cache": np.stack([piece.cache for piece in pieces]),
    }


def _cut(outputs: Outputs, index: int, piece: Piece) -> Outputs:
    """Return what belongs to one piece, after a check that the rest is zero."""
    probs = outputs["silence_probs"][index]
    if probs[len(piece.features) :].any():
        raise PrepareError("silence_probs: expected zeros beyond a piece's own frames")
    return {
        "silence_probs": probs[: len(piece.features)],
        "next_cache": outputs["next_cache"][index],
    }


def _compare(what: str, expected: Outputs, got: Outputs, figures: PieceFigures) -> None:
    figures.rows += 1
    probs = largest(expected["silence_probs"] - got["silence_probs"])
    cache = largest(expected["next_cache"] - got["next_cache"])
    figures.max_prob_difference = max(figures.max_prob_difference, probs)
    figures.max_cache_difference = max(figures.max_cache_difference, cache)
    if not max(probs, cache) <= TOLERANCE:
        raise PrepareError(f"{what}: silence_probs differ by {probs:.2g}, the cache by {cache:.2g}")
