"""Shows that a model in int8 or float16 is its float32 original, rounded, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from asr_core.features import Features
from asr_server.graphs import PrepareError, verify
from asr_server.graphs.closeness import soft_error_rate
from asr_server.graphs.rounded_weights import check_rounded_weights
from asr_server.install.layout import graph_file
from asr_server.models import ModelKind

HIGHEST_SOFT_ERROR_RATE = 0.1
"""Sound models of random weights, whose tokens are close, stay below 0.01."""
_THREADS = 2


def check_weights(original: Path, rounded: Path) -> None:
    """Compare the weights of two graphs with the same names.

    Raises:
        PrepareError: they are not the original's, rounded.
    """
    try:
        check_rounded_weights(original, rounded)
    except PrepareError as error:
        raise PrepareError(
            f"this is not the float32 graph in another precision: {error}"
        ) from error


def check_scores(original: Path, rounded: Path, features: Sequence[Features]) -> float:
    """Let an offline recogniser's original judge what the rounded graph says.

    Args:
        original: FunASR's export in float32.
        rounded: prepared, in int8 or float16.
        features: of recordings.

    Returns:
        The soft error rate.

    Raises:
        PrepareError: it says something else.
    """
    # One after the other: two full-size sessions at a time would need twice the memory.
    model = verify.Model(rounded, _THREADS)
    rows = verify.make_rows(features, model.hotword_dim)
    got = [model([row])[0] for row in rows]
    del model
    rate = soft_error_rate(verify.run_original(original, rows, _THREADS), got)
    if rate > HIGHEST_SOFT_ERROR_RATE:
        raise PrepareError(
            f"this is not the float32 graph in another precision: by its scores {rate:.0%} of the "
            f"tokens are wrong, expected at most {HIGHEST_SOFT_ERROR_RATE:.0%}"
        )
    return rate


def check_published(kind: ModelKind, sources: Sequence[Path], files: Path) -> None:
    """Compare published int8 graphs with the float32 ones, where these lie beside them.

    Args:
        kind: of the model.
        sources: the folders that the model came from.
        files: holds the int8 graphs.

    Raises:
        PrepareError: they are not the same model.
    """
    for graph in kind.graphs:
        name = graph_file(graph.stem, "fp32")
        original = next((one / name for one in sources if (one / name).is_file()), None)
        if original is not None:
            check_weights(original, files / graph_file(graph.stem, "int8"))
