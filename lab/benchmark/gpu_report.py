"""The page of one run of `gpu`."""

from __future__ import annotations

from collections.abc import Mapping

from lab.benchmark.gpu import LONE_S, GpuReport, Measured, MeasuredStreams


def gpu_markdown(report: GpuReport) -> str:
    """Return the section of the page."""
    lines = [f"### {report.device}, {report.backend} backend"]
    if report.texts:
        lines += ["", "Texts of the embedded models beside those of fp32 on the CPU:", ""]
    for name, texts in report.texts.items():
        lines.append(f"- {name}: {len(texts.differ)} of {texts.recordings} differ")
        lines += [f"  - {here!r}, on the CPU {there!r}" for here, there in texts.differ]
    if report.graphs:
        lines += [
            "",
            "The graph alone, seconds of audio per second:",
            "",
            "| model | provider | batch | audio per second |",
            "|---|---|---|---|",
        ]
    for name, graph in report.graphs.items():
        lines += [
            f"| {name} | {graph.provider} | {size} | {speed:.0f} |"
            for size, speed in graph.audio_per_second.items()
        ]
    for name, loads in report.server.items():
        lines += [
            "",
            f"{name} through the server, one at a time of {LONE_S:g} s each; processor time in ms "
            "for a second of audio:",
            "",
            "| at a time | audio per second | p50, p95 | mean batch | processor time | GPU |",
            "|---|---|---|---|---|---|",
            *map(_load_row, loads),
        ]
        failed = {each.load.concurrency: each.failed for each in loads if each.failed}
        lines += [
            f"\n{count} requests failed, {number} at a time." for number, count in failed.items()
        ]
    if report.streams:
        lines += [
            "",
            "Streams, a piece of 600 ms each; latency from the moment it was spoken:",
            "",
            "| streams | p50, p95 | mean batch | cores | GPU |",
            "|---|---|---|---|---|",
            *map(_stream_row, report.streams),
        ]
    if report.left_out:
        lines += ["", "Not run, for lack of time: " + ", ".join(report.left_out) + "."]
    return "\n".join([*lines, ""])


def _load_row(measured: Measured) -> str:
    load = measured.load
    return (
        f"| {load.concurrency} | {load.audio_per_s:.0f} | {1000 * load.p50_s:.0f}, "
        f"{1000 * load.p95_s:.0f} ms | {measured.mean_batch:.1f} "
        f"| {_parts(load.cpu_ms)} | {measured.gpu or 'none'} |"
    )


def _stream_row(measured: MeasuredStreams) -> str:
    return (
        f"| {measured.streams} | {1000 * measured.p50_s:.0f}, {1000 * measured.p95_s:.0f} ms "
        f"| {measured.mean_batch:.1f} | {_parts(measured.cores)} | {measured.gpu or 'none'} |"
    )


def _parts(figures: Mapping[str, float]) -> str:
    """Return the sum, and what is at least a hundredth of it, the largest first."""
    whole = sum(figures.values())
    ordered = sorted(figures.items(), key=lambda item: -item[1])
    parts = ", ".join(f"{name} {value:.2f}" for name, value in ordered if value >= whole / 100)
    return f"{whole:.2f}: {parts}"
