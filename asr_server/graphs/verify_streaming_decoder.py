"""Proves that a prepared streaming decoder says what FunASR's says, in any batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_server.graphs import verify
from asr_server.graphs.caches import CACHED_COLUMNS, NEW_COLUMNS
from asr_server.graphs.comparison import TOLERANCE, TokenFigures, check_ties, compare, largest
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.proof_batches import GARBAGE, shuffled_batches
from asr_server.graphs.session import Outputs, Session
from asr_server.graphs.streaming import IN_CACHE, OUT_CACHE
from asr_server.graphs.token_ids import TOKEN_OUTPUTS

_CACHE_STEPS = (1, 3, 2, 13, 5, 1)  # tokens of successive calls; 13 exceed a cache of 10 columns
_HIDDEN_FRAMES = (20, 20, 15, 20, 6, 12)


@dataclass(frozen=True)
class Call:
    """One call of the decoder for one stream.

    Attributes:
        hidden: float32 [T, D].
        embeds: float32 [N, D].
        cache: float32 [K, L, D].
    """

    hidden: NDArray[np.float32]
    embeds: NDArray[np.float32]
    cache: NDArray[np.float32]


def prove_decoder(source: Path, work: Path, threads: int, optimise: bool) -> dict[str, float]:
    """Compare a prepared decoder with FunASR's, and each call alone with itself in batches.

    Args:
        source: FunASR's graph.
        work: the prepared one.
        threads: CPU threads.
        optimise: False compares the graphs as written.

    Returns:
        Largest deviations and counts.

    Raises:
        PrepareError: they differ, or a call depends on padding or neighbours.
    """
    original = Session(source, threads, optimise)
    calls, expected = _run_original_decoder(original)
    del original
    model = Session(work, threads, optimise)
    against = TokenFigures()
    alone, cache_difference = [], 0.0
    for number, (call, wanted) in enumerate(zip(calls, expected, strict=True)):
        got = _cut_call(model(_decoder_feed([call])), 0, call)
        alone.append(got)
        what = f"call {number} ({len(call.embeds)} tokens), prepared against original"
        cache_difference = max(cache_difference, _compare_call(what, wanted, got, against))
    check_ties(against)
    independence, batch_cache_difference = _check_calls_independent(model, calls, alone)
    return {
        **against.as_dict("original"),
        "original_max_cache_difference": cache_difference,
        **independence.as_dict("independence"),
        "independence_max_cache_difference": batch_cache_difference,
    }


def _run_original_decoder(original: Session) -> tuple[list[Call], list[Outputs]]:
    """Make the calls of two streams, each with the cache of the one before, and their results."""
    _, dim, columns = original.input_shapes[f"{IN_CACHE}0"]
    num_layers = sum(name.startswith(IN_CACHE) for name in original.input_shapes)
    rng = np.random.default_rng(0)
    calls, results = [], []
    for _ in range(2):
        cache = np.zeros((columns, num_layers, dim), np.float32)
        for num_tokens, num_frames in zip(_CACHE_STEPS, _HIDDEN_FRAMES, strict=True):
            hidden = rng.standard_normal((num_frames, dim)).astype(np.float32)
            # As CIF makes them: each a mean of frames, the weights summing to 1.
            weights = rng.dirichlet(np.full(num_frames, 0.2), num_tokens)
            call = Call(hidden, (weights @ hidden).astype(np.float32), cache)
            feed: dict[str, Any] = {
                "enc": hidden[None],
                "enc_len": [num_frames],
                "acoustic_embeds": call.embeds[None],
                "acoustic_embeds_len": [num_tokens],
            }
            feed |= {f"{IN_CACHE}{i}": cache[None, :, i].swapaxes(1, 2) for i in range(num_layers)}
            outputs = original(feed)
            kept = [outputs[f"{OUT_CACHE}{i}"][0, :, -columns:].T for i in range(num_layers)]
            cache = np.stack(kept, axis=1)
            result = verify.with_token_ids({"logits": outputs["logits"][0]})
            calls.append(call)
            results.append({**result, "next_cache": cache})
    return calls, results


def _check_calls_independent(
    model: Session, calls: Sequence[Call], alone: Sequence[Outputs]
) -> tuple[TokenFigures, float]:
    figures, difference = TokenFigures(), 0.0
    amounts = ((1, 0.0), (6, GARBAGE), (20, float("nan")), (2, GARBAGE))
    for number, call in enumerate(calls):
        extra, padding = amounts[number % len(amounts)]
        got = _cut_call(model(_decoder_feed([call], extra, padding)), 0, call)
        what = f"call {number} ({len(call.embeds)} tokens), {extra} columns of padding"
        difference = max(difference, _compare_call(what, alone[number], got, figures))
    # Nothing fired in it.
    silent = Call(calls[0].hidden, calls[0].embeds[:0], calls[-1].cache)
    for numbers, extra, padding in shuffled_batches(len(calls), 2):
        batch = [*(calls[n] for n in numbers), silent]
        outputs = model(_decoder_feed(batch, extra, padding))
        for index, n in enumerate(numbers):
            what = f"call {n} ({len(calls[n].embeds)} tokens), in a batch of {len(batch)}"
            got = _cut_call(outputs, index, calls[n])
            difference = max(difference, _compare_call(what, alone[n], got, figures))
    check_ties(figures)
    return figures, difference


def _decoder_feed(calls: Sequence[Call], extra: int = 0, padding: float = 0.0) -> Outputs:
    """Batch calls, padded to the longest and `extra` frames and tokens more."""
    rng = np.random.default_rng(extra)
    dim = calls[0].hidden.shape[1]

    def stacked(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        width = max(1, *map(len, rows)) + extra
        values = rng.standard_normal((len(rows), width, dim)) * padding
        for target, row in zip(values, rows, strict=True):
            target[: len(row)] = row
        return values.astype(np.float32)

    return {
        "hidden": stacked([call.hidden for call in calls]),
        "hidden_lengths": np.array([[len(call.hidden)] for call in calls], np.int32),
        "acoustic_embeds": stacked([call.embeds for call in calls]),
        "embeds_lengths": np.array([[len(call.embeds)] for call in calls], np.int32),
        CACHED_COLUMNS: np.stack([call.cache for call in calls]),
    }


def _cut_call(outputs: Outputs, index: int, call: Call) -> Outputs:
    mine = {name: value[index] for name, value in outputs.items()}
    for name in TOKEN_OUTPUTS:
        mine[name] = mine[name][: len(call.embeds)]
    added = mine.pop(NEW_COLUMNS)[: len(call.embeds)]
    mine["next_cache"] = np.concatenate([call.cache, added])[-len(call.cache) :]
    return mine


def _compare_call(what: str, expected: Outputs, got: Outputs, figures: TokenFigures) -> float:
    compare(what, expected, got, figures)
    difference = largest(expected["next_cache"] - got["next_cache"])
    if not difference <= TOLERANCE:
        raise PrepareError(f"{what}: next_cache differs by {difference:.2g}")
    return difference
