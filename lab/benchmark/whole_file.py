"""Whole files: the transcription pipeline against its recogniser on the same segments."""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from asr_client import Client
from asr_client.files import DEFAULT_SEGMENT_MS
from asr_contract import SAMPLE_RATE
from asr_server.install import install
from asr_server.models import KINDS, ModelKind, copy_repository
from lab.benchmark.concurrent import run_concurrently
from lab.benchmark.installed_models import installed
from lab.benchmark.running_server import running_server
from lab.benchmark.workload import Recording
from lab.training.exported_graphs import ExportedVad

HELPERS = (KINDS["vad"], KINDS["punctuation"])


@dataclass(frozen=True)
class FileResult:
    """One recogniser's figures; wall times in seconds, one per round.

    Attributes:
        audio_s, speech_s: length of the file, and of its segments.
        segments: their number.
        ensemble_s: for each number of segments under way, the ensemble alone on the segments.
        pipeline_s: the same for the whole file: decoding, VAD, recognition, marks, figures.
    """

    audio_s: float
    speech_s: float
    segments: int
    ensemble_s: dict[int, list[float]]
    pipeline_s: dict[int, list[float]]

    def ratio(self, in_flight: int) -> float:
        """Median over rounds of the pipeline's wall time to the ensemble's."""
        pairs = zip(self.pipeline_s[in_flight], self.ensemble_s[in_flight], strict=True)
        return statistics.median(pipeline / ensemble for pipeline, ensemble in pairs)


def measure_file(
    kind: ModelKind,
    source: Path,
    talk: Path,
    repeats: int,
    in_flight: Sequence[int],
    rounds: int,
    models: Path,
    report: Callable[[str], None],
) -> FileResult:
    """Run ensemble and pipeline in turns over the same speech.

    Args:
        kind: the recogniser.
        source: its exported model; VAD and punctuation are the embedded ones.
        talk: a recording with pauses.
        repeats: how often it is strung together.
        in_flight: segments under way at a time.
        rounds: how often each contestant runs.
        models: keeps the installed recogniser for the next run.
        report: gets a line after each round.
    """
    samples, rate = soundfile.read(talk, dtype="float32")
    if rate != SAMPLE_RATE or samples.ndim != 1:
        raise ValueError(f"{talk}: expected 16 kHz mono, got {rate} Hz, shape {samples.shape}")
    waveform = np.tile(samples, repeats)
    segments = cut_segments(waveform)
    repositories = [installed(kind, source, models)]
    with tempfile.TemporaryDirectory(prefix="benchmark-") as work:
        path = Path(work) / "talk.flac"
        soundfile.write(path, waveform, SAMPLE_RATE)
        for helper in HELPERS:
            repository = copy_repository(helper, Path(work) / helper.repository)
            install(helper, helper.embedded, repository)
            if repository not in repositories:
                repositories.append(repository)
        with (
            running_server(repositories, Path(work)) as server,
            Client(f"grpc://{server.grpc_url}", timeout_s=300) as client,
        ):
            ensemble_s, pipeline_s = _measure_in_turns(
                client, kind.name, path, segments, in_flight, rounds, report
            )
    return FileResult(
        audio_s=len(waveform) / SAMPLE_RATE,
        speech_s=sum(map(len, segments)) / SAMPLE_RATE,
        segments=len(segments),
        ensemble_s=ensemble_s,
        pipeline_s=pipeline_s,
    )


def cut_segments(waveform: Recording) -> list[Recording]:
    """The segments that the embedded VAD finds with the pipeline's options."""
    vad = ExportedVad(KINDS["vad"].embedded)
    (found,) = vad.segments([waveform], max_single_segment_time=DEFAULT_SEGMENT_MS)
    per_ms = SAMPLE_RATE // 1000
    return [waveform[start * per_ms : end * per_ms] for start, end in found]


def _measure_in_turns(
    client: Client,
    model: str,
    path: Path,
    segments: Sequence[Recording],
    in_flight: Sequence[int],
    rounds: int,
    report: Callable[[str], None],
) -> tuple[dict[int, list[float]], dict[int, list[float]]]:
    def recognise(segment: Recording) -> object:
        return client.transcribe(segment, model=model, sample_rate=SAMPLE_RATE, language="zh")

    run_concurrently(recognise, segments[:4], 2)  # warm up
    ensemble_s: dict[int, list[float]] = {count: [] for count in in_flight}
    pipeline_s: dict[int, list[float]] = {count: [] for count in in_flight}
    for _ in range(rounds):
        for count in in_flight:
            ensemble_s[count].append(run_concurrently(recognise, segments, count).wall_s)
            begun = time.perf_counter()
            client.transcribe_file(path, model=model, language="zh", in_flight=count)
            pipeline_s[count].append(time.perf_counter() - begun)
            report(
                f"{model}, {count} segments under way: ensemble {ensemble_s[count][-1]:.2f} s, "
                f"pipeline {pipeline_s[count][-1]:.2f} s"
            )
    return ensemble_s, pipeline_s
