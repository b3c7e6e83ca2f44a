"""The tiny streaming model, and what its streams say when nothing else runs."""

from __future__ import annotations

import re
from functools import cache

import numpy as np

from asr_contract import parse_chunk_size
from asr_core.features import KaldiNativeFbank
from tests.serving import RANDOM_MODELS
from tests.streaming_graphs import ExportedGraphs, Session

TINY = RANDOM_MODELS / "paraformer_online-tiny-seed0"
ENDED = re.compile("START|no state for sequence")


@cache
def tiny_graphs() -> ExportedGraphs:
    return ExportedGraphs(TINY)


def alone(samples: np.ndarray, chunk_size: str = "5,10,5") -> str:
    """What a stream says when nothing else runs, by FunASR's graphs and without a server."""
    graphs = tiny_graphs()
    size = parse_chunk_size(chunk_size)
    return Session(graphs.recogniser(), KaldiNativeFbank(), size).send(samples, is_final=True).text
