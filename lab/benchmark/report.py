"""Figures as JSON and Markdown."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

import numpy as np

from asr_server.onnxruntime_package import installed_packages
from lab.benchmark.accuracy import AccuracyResult
from lab.benchmark.frontend import FrontendResult
from lab.benchmark.glue import GlueResult
from lab.benchmark.glue_streaming import StreamsResult
from lab.benchmark.lone_request import SECONDS, THREADS, LatencyResult
from lab.benchmark.offline import BARE, OfflineResult
from lab.benchmark.server_statistics import where_time_goes
from lab.benchmark.streaming import StreamingResult
from lab.benchmark.whole_file import FileResult
from lab.benchmark.workload import Recording, total_seconds


def describe_machine() -> dict[str, str]:
    """Return what a reader needs to judge figures from this machine."""
    cpu = "unknown"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            cpu = line.partition(":")[2].strip()
            break
    return {
        "CPU": f"{cpu}, {os.cpu_count()} cores",
        "Python": platform.python_version(),
        **installed_packages(),
        "nvidia-pytriton": version("nvidia-pytriton"),
        "tritonclient": version("tritonclient"),
    }


def offline_markdown(name: str, result: OfflineResult, recordings: Sequence[Recording]) -> str:
    """Return the section of one model."""
    audio = total_seconds(recordings)
    threads, calls = result.layout
    (bare,) = result.rounds[BARE].values()
    lines = [
        f"### {name}, {result.precision}",
        "",
        f"{len(recordings)} recordings, {audio:.0f} s of audio, {len(bare)} rounds in turns. In "
        f"one process: {threads} threads, {calls} calls at a time, the bare session's best.",
        "",
        "| | calls at a time | wall ÷ bare wall (median) | each round | the same of processor time "
        "| latency p50, p95 | s of audio per second |",
        "|---|---|---|---|---|---|---|",
    ]
    for contestant, by_calls in result.rounds.items():
        for number, rounds in by_calls.items():
            ratios = result.ratios(contestant, number)
            p95 = statistics.median(one.latency_p95_s for one in rounds)
            wall = statistics.median(one.wall_s for one in rounds)
            lines.append(
                f"| {contestant} | {number} | {statistics.median(ratios):.3f} "
                f"| {', '.join(f'{ratio:.3f}' for ratio in ratios)} "
                f"| {statistics.median(result.cpu_ratios(contestant, number)):.3f} "
                f"| {result.latency_s(contestant, number) * 1e3:.0f}, {p95 * 1e3:.0f} ms "
                f"| {audio / wall:.1f} |"
            )
    for contestant, note in result.notes.items():
        lines += ["", f"{contestant}: {note}"]
    for number, models in result.models.items():
        lines += [
            "",
            f"Time in each model of the server with {number} calls at a time, ms per request:",
            "",
            "| model | mean batch | queue | compute |",
            "|---|---|---|---|",
        ]
        lines += [
            f"| {share.model} | {share.mean_batch:.2f} | {share.queue_ms:.1f} "
            f"| {share.compute_ms:.1f} |"
            for share in where_time_goes(models, result.ensemble, result.encoder)
        ]
    memory = ", ".join(f"{name} {mb:.0f} MB" for name, mb in result.memory_mb.items())
    return "\n".join([*lines, "", f"Memory (PSS) after the run: {memory}.", ""])


def frontend_markdown(name: str, result: FrontendResult) -> str:
    """Return the section of one model's parts."""
    lines = [
        f"### {name}",
        "",
        f"{result.audio_s:.0f} s of audio, {result.tokens} tokens, {len(result.encoder_s)} rounds.",
        "",
        "| | ms of processor time per s of audio | ÷ encoder (median of the rounds) |",
        "|---|---|---|",
    ]
    for part, times in (
        ("front end", result.frontend_s),
        ("encoder", result.encoder_s),
        ("scoring", result.scoring_s),
    ):
        lines.append(
            f"| {part} | {1e3 * statistics.median(times):.2f} | {result.share(times):.2%} |"
        )
    return "\n".join([*lines, ""])


def latency_markdown(name: str, result: LatencyResult) -> str:
    """Return the table of one model's lone requests."""
    lines = [
        f"### {name}, {result.precision}",
        "",
        f"{len(result.bare_s)} pairs of requests of {SECONDS:g} s, {THREADS} threads.",
        "",
        "| | median | p95 |",
        "|---|---|---|",
    ]
    for contestant, times in (("bare", result.bare_s), ("server", result.server_s)):
        median, p95 = (1e3 * float(np.percentile(times, percent)) for percent in (50, 95))
        lines.append(f"| {contestant} | {median:.0f} ms | {p95:.0f} ms |")
    extra_ms = 1e3 * result.extra_s
    return "\n".join(
        [*lines, "", f"Median of the pairs: {result.ratio:.3f} x, {extra_ms:.0f} ms more.", ""]
    )


def accuracy_markdown(name: str, result: AccuracyResult) -> str:
    """Return the table of one model's error rates."""
    languages = list(next(iter(result.error_rate.values())))
    lines = [
        f"### {name}",
        "",
        f"{result.utterances} held-out utterances with noise, {result.characters} characters; "
        "the language is not told.",
        "",
        f"| character error rate | {' | '.join(languages)} | other texts than the server's |",
        "|---" * (len(languages) + 2) + "|",
    ]
    for contestant, rates in result.error_rate.items():
        shown = " | ".join(f"{rates[language]:.2%}" for language in languages)
        lines.append(f"| {contestant} | {shown} | {result.differ[contestant]} |")
    return "\n".join([*lines, ""])


def file_markdown(name: str, result: FileResult) -> str:
    """Return the section of one model behind the transcription pipeline."""
    lines = [
        f"### {name}",
        "",
        f"A file of {result.audio_s:.0f} s with {result.segments} segments, "
        f"{result.speech_s:.0f} s, in turns with its segments alone.",
        "",
        "| segments under way | pipeline wall ÷ ensemble wall (median) | each round "
        "| s of audio per second |",
        "|---|---|---|---|",
    ]
    for in_flight, walls in result.pipeline_s.items():
        pairs = zip(walls, result.ensemble_s[in_flight], strict=True)
        rounds = ", ".join(f"{pipeline / ensemble:.3f}" for pipeline, ensemble in pairs)
        lines.append(
            f"| {in_flight} | {result.ratio(in_flight):.3f} | {rounds} "
            f"| {result.audio_s / statistics.median(walls):.1f} |"
        )
    return "\n".join([*lines, ""])


def streaming_markdown(name: str, result: StreamingResult, seconds: float) -> str:
    """Return the section of one streaming model."""
    share = result.server_streams / result.bare_streams
    compared = (
        f" sherpa-onnx's online websocket server: {result.sherpa_streams} streams."
        if result.sherpa
        else ""
    )
    lines = [
        f"### {name}",
        "",
        f"Bare sessions at their best: {result.bare_streams:.1f} real-time streams. Server: "
        f"{result.server_streams} streams with p95 under 600 ms, {share:.0%} of that." + compared,
        "",
        "| bare, threads x calls | batch | encoder | decoder | streams |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {cost.threads} x {cost.calls} | {cost.batch} | {cost.encoder_s * 1e3:.1f} ms "
        f"| {cost.decoder_s * 1e3:.1f} ms | {cost.streams:.1f} |"
        for cost in result.bare
    ]
    lines += [
        "",
        f"Server, streams of {seconds:g} s, a piece every 600 ms; latency from the moment a piece "
        "was spoken to its answer; the last column is CPU time in cores:",
        "",
        "| streams | p50 | p95 | p99 | mean batch: encoder, decoder | where the time goes |",
        "|---|---|---|---|---|---|",
    ]
    for load in result.loads:
        batches = (load.models[f"streaming_{part}"].mean_batch for part in ("encoder", "decoder"))
        cores = (
            f"{name.removeprefix('streaming_')} {used:.2f}" for name, used in load.cores.items()
        )
        lines.append(
            f"| {load.streams} | {load.p50_s * 1e3:.0f} ms | {load.p95_s * 1e3:.0f} ms "
            f"| {load.p99_s * 1e3:.0f} ms | {', '.join(f'{batch:.1f}' for batch in batches)} "
            f"| {', '.join(cores)} |"
        )
    if result.sherpa:
        lines += ["", "| streams, sherpa-onnx | p50 | p95 | p99 | cores |", "|---|---|---|---|---|"]
        lines += [
            f"| {load.streams} | {load.p50_s * 1e3:.0f} ms | {load.p95_s * 1e3:.0f} ms "
            f"| {load.p99_s * 1e3:.0f} ms | {load.cores['sherpa']:.2f} |"
            for load in result.sherpa
        ]
    memory = ", ".join(f"{name} {mb:.0f} MB" for name, mb in result.memory_mb.items())
    return "\n".join([*lines, "", f"Memory (PSS) after the run: {memory}.", ""])


def streams_markdown(result: StreamsResult) -> str:
    """Return the section of the page for the streams of one run of `glue`."""
    counts = ", ".join(f"{name} {count}" for name, count in result.instances.items())
    lines = [
        f"Streaming Paraformer with the real front end and search around stand-ins of "
        f"{1000 * result.encoder_s:g} ms a run (encoder) and {1000 * result.decoder_s:g} ms "
        f"(decoder), with tensors of the full model's size; processes: {counts}. Latency from the "
        "moment a piece of 600 ms was spoken; processor time in ms for a window of 600 ms, the "
        "client's left out:",
        "",
        "| streams | p50, p95 | mean batch | streams per core | processor time |",
        "|---|---|---|---|---|",
    ]
    for load in result.loads:
        window_ms = load.window_ms
        parts = ", ".join(
            f"{name.removeprefix('streaming_')} {ms:.2f}" for name, ms in window_ms.items()
        )
        lines.append(
            f"| {load.streams} | {1000 * load.p50_s:.0f}, {1000 * load.p95_s:.0f} ms "
            f"| {load.mean_batch:.1f} | {load.streams_per_core:.0f} "
            f"| {sum(window_ms.values()):.2f}: {parts} |"
        )
    return "\n".join([*lines, ""])


def glue_markdown(result: GlueResult) -> str:
    """Return the section of the page for one run of `glue`."""
    lines = [
        f"SenseVoice with the real front end and scoring around a stand-in for its encoder, which "
        f"takes {1000 * result.run_s:.0f} ms for a run of up to {result.max_batch} rows. Share: of "
        "the rows that waited when a run started and for which there was room, how many were in "
        "it. Processor time in ms for a second of audio, the client's left out:",
        "",
        "| at a time | s of audio per s | p50, p95 | mean batch | share | processor time |",
        "|---|---|---|---|---|---|",
    ]
    for load in result.loads:
        parts = ", ".join(
            f"{name.removeprefix('sensevoice_')} {ms:.3f}" for name, ms in load.cpu_ms.items()
        )
        lines.append(
            f"| {load.concurrency} | {load.audio_per_s:.0f} | {load.p50_s:.2f} s, "
            f"{load.p95_s:.2f} s | {load.mean_batch:.1f} | {load.share:.1%} "
            f"| {sum(load.cpu_ms.values()):.3f}: {parts} |"
        )
    return "\n".join([*lines, ""])
