"""What front end and scoring cost next to the encoder, in processor time of all threads."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from asr_core.features import load_frontend
from asr_core.paraformer import ParaformerOutputs, load_scoring
from asr_core.sensevoice import TOKENIZER_NAME, SenseVoiceOutputs, SenseVoiceScoring
from asr_core.text import CIF_UPSAMPLING
from asr_server.graphs.session import Outputs
from asr_server.models import VERSION, ModelKind
from lab.benchmark.bare_session import BareSession
from lab.benchmark.installed_models import installed
from lab.benchmark.workload import Recording, total_seconds


@dataclass(frozen=True)
class FrontendResult:
    """Processor time per second of audio, one figure per round.

    Attributes:
        audio_s: of all recordings.
        tokens: that the encoder gave.
        frontend_s, encoder_s, scoring_s: each over `audio_s`.
    """

    audio_s: float
    tokens: int
    frontend_s: list[float]
    encoder_s: list[float]
    scoring_s: list[float]

    def share(self, part: Sequence[float]) -> float:
        """Median over rounds of a part's time to the encoder's."""
        pairs = zip(part, self.encoder_s, strict=True)
        return statistics.median(one / encoder for one, encoder in pairs)


def measure_frontend(
    kind: ModelKind,
    source: Path,
    recordings: Sequence[Recording],
    rounds: int,
    work: Path,
    report: Callable[[str], None],
) -> FrontendResult:
    """Run the three parts in turns, on one thread.

    Args:
        kind: "paraformer" or "sensevoice".
        source: the exported model, laid out as the hubs do.
        recordings: the workload.
        rounds: how often each part runs.
        work: for the installed model, which a later run finds there.
        report: gets a line after each round.
    """
    repository = installed(kind, source, work)
    graph = repository / kind.encoder / VERSION / "model.onnx"
    session, frontend = BareSession(graph, source, threads=1), load_frontend(source)
    score = _scoring(kind, repository)
    times: dict[str, list[float]] = {"frontend": [], "encoder": [], "scoring": []}
    audio_s, tokens = total_seconds(recordings), 0
    for _ in range(rounds):
        features, seconds = _timed(frontend, recordings)
        times["frontend"].append(seconds / audio_s)
        outputs, seconds = _timed(session.encode, features)
        times["encoder"].append(seconds / audio_s)
        words, seconds = _timed(score, outputs)
        times["scoring"].append(seconds / audio_s)
        tokens = sum(words)
        report(", ".join(f"{name} {1e3 * spent[-1]:.2f} ms/s" for name, spent in times.items()))
    return FrontendResult(audio_s, tokens, times["frontend"], times["encoder"], times["scoring"])


def _timed(work: Callable[[Any], Any], items: Sequence[Any]) -> tuple[list[Any], float]:
    """Do all items; returns the results and the processor time."""
    begun = time.process_time()
    results = [work(item) for item in items]
    return results, time.process_time() - begun


def _scoring(kind: ModelKind, repository: Path) -> Callable[[Outputs], int]:
    """What the scoring model does with the outputs of one recording; returns the tokens."""
    (name,) = (model for model in kind.files if model.endswith("scoring"))
    folder = repository / name / VERSION
    if kind.name == "sensevoice":
        sensevoice = SenseVoiceScoring(folder / TOKENIZER_NAME)

        def score_sensevoice(outputs: Outputs) -> int:
            rows = SenseVoiceOutputs(*(outputs[name] for name in SenseVoiceOutputs._fields))
            (result,) = sensevoice.score_rows(rows)
            return len(result.words)

        return score_sensevoice
    paraformer = load_scoring(folder)

    def score_paraformer(outputs: Outputs) -> int:
        rows = ParaformerOutputs(*(outputs[name] for name in ParaformerOutputs._fields))
        frames = np.array([rows.us_alphas.shape[1] // CIF_UPSAMPLING], np.int32)
        paraformer.score_rows(rows, frames)
        return int(rows.token_num.sum())

    return score_paraformer
