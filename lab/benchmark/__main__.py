"""Command line of the benchmark.

    python -m scripts.benchmark offline --paraformer DIR --sensevoice DIR
    FUNASR_DIR=DIR python -m scripts.benchmark offline --paraformer DIR \\
        --peers "FunASR server" gateway --funasr-python ENVIRONMENT/bin/python
    python -m scripts.benchmark streaming --model DIR --streams 4 6 8 10 12 --sherpa
    python -m scripts.benchmark frontend --paraformer DIR
    python -m scripts.benchmark latency --paraformer DIR
    python -m scripts.benchmark glue
    python -m scripts.benchmark gpu
    python -m scripts.benchmark accuracy
    python -m scripts.benchmark decoding
    python -m scripts.benchmark page
    python -m scripts.benchmark file --paraformer DIR --sensevoice DIR

DIR is an exported model; full-size ones with random weights, which cost what real ones do, come
from `python -m scripts.export_random_models`.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, TypeVar

from asr_server.models import KINDS, ModelKind
from asr_server.places import SAMPLES
from lab.benchmark.accuracy import AccuracyResult, measure_accuracy
from lab.benchmark.arguments import build_parser
from lab.benchmark.bare_graphs import NoGpuError
from lab.benchmark.concurrent import LAYOUTS
from lab.benchmark.decoding import decoding_markdown, measure_decoding
from lab.benchmark.frontend import FrontendResult, measure_frontend
from lab.benchmark.funasr_server import CHECKOUT_VARIABLE, FunasrError, find_funasr, require_weights
from lab.benchmark.glue import measure_glue
from lab.benchmark.glue_streaming import measure_streams
from lab.benchmark.gpu import RECOGNISERS, STREAMING, GpuPlan, measure_gpu
from lab.benchmark.gpu_report import gpu_markdown
from lab.benchmark.held_out import read_held_out
from lab.benchmark.lone_request import LatencyResult, measure_latency
from lab.benchmark.offline import OfflineResult, measure_offline
from lab.benchmark.offline_peers import FUNASR_SERVER, Peers
from lab.benchmark.page import write_page
from lab.benchmark.report import (
    accuracy_markdown,
    describe_machine,
    file_markdown,
    frontend_markdown,
    glue_markdown,
    latency_markdown,
    offline_markdown,
    streaming_markdown,
    streams_markdown,
)
from lab.benchmark.streaming import measure_streaming
from lab.benchmark.whole_file import FileResult, measure_file
from lab.benchmark.workload import Recording, make_recordings

Result = TypeVar("Result", OfflineResult, FileResult, FrontendResult, LatencyResult, AccuracyResult)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    options = build_parser(__doc__ or "").parse_args(arguments)
    try:
        RUNS[options.command](options)
    except (NoGpuError, FunasrError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


def run_offline(options: argparse.Namespace) -> None:
    """Measure the named models and write offline.json and offline.md."""
    peers = chosen_peers(options)
    recordings = spoken(options)

    def measure(kind: ModelKind, source: Path, work: Path) -> OfflineResult:
        concurrency, rounds = sorted(options.concurrency), options.rounds
        return measure_offline(
            kind,
            source,
            recordings,
            concurrency,
            rounds,
            peers,
            options.precision,
            work,
            log,
        )

    run_each("offline", options, measure, lambda title, r: offline_markdown(title, r, recordings))


def chosen_peers(options: argparse.Namespace) -> Peers:
    """Return who else runs offline.

    Raises:
        FunasrError: FunASR's server shall run and cannot.
    """
    if FUNASR_SERVER not in options.peers:
        return Peers(options.peers)
    for source in (options.paraformer, options.sensevoice):
        if source is not None:
            require_weights(source)
    funasr = find_funasr(os.environ.get(CHECKOUT_VARIABLE), options.funasr_python)
    layouts = LAYOUTS if options.funasr_layout is None else [tuple(options.funasr_layout)]
    return Peers(options.peers, funasr, layouts)


def run_streaming(options: argparse.Namespace) -> None:
    """Measure one model and write streaming.json and streaming.md."""
    result = measure_streaming(
        options.model,
        spoken(options),
        sorted(options.streams),
        options.seconds,
        options.sherpa,
        options.work / options.model.name,
        log,
    )
    section = streaming_markdown(options.model.name, result, options.seconds)
    write("streaming", {options.model.name: asdict(result)}, [section], options.output)


def run_file(options: argparse.Namespace) -> None:
    """Measure the named models and write file.json and file.md."""

    def measure(kind: ModelKind, source: Path, work: Path) -> FileResult:
        repeats, in_flight, rounds = options.repeats, options.in_flight, options.rounds
        return measure_file(kind, source, options.talk, repeats, in_flight, rounds, work, log)

    run_each("file", options, measure, file_markdown)


def run_frontend(options: argparse.Namespace) -> None:
    """Measure the named models and write frontend.json and frontend.md."""
    recordings = spoken(options)

    def measure(kind: ModelKind, source: Path, work: Path) -> FrontendResult:
        return measure_frontend(kind, source, recordings, options.rounds, work, log)

    run_each("frontend", options, measure, frontend_markdown)


def run_latency(options: argparse.Namespace) -> None:
    """Measure the named models and write latency.json and latency.md."""
    recordings = spoken(options)

    def measure(kind: ModelKind, source: Path, work: Path) -> LatencyResult:
        rounds, precision = options.rounds, options.precision
        return measure_latency(kind, source, recordings, rounds, precision, work, log)

    run_each("latency", options, measure, latency_markdown)


def run_accuracy(options: argparse.Namespace) -> None:
    """Measure the models and write accuracy.json and accuracy.md."""
    held_out = read_held_out(options.held_out)

    def measure(kind: ModelKind, source: Path, work: Path) -> AccuracyResult:
        return measure_accuracy(kind, source, held_out, options.peers, work, log)

    run_each("accuracy", options, measure, accuracy_markdown)


def run_decoding(options: argparse.Namespace) -> None:
    """Measure the embedded recognisers and write decoding.json and decoding.md."""
    recordings = [one.samples for one in read_held_out(options.held_out) if one.text]
    results = {
        kind: measure_decoding(kind, recordings, options.rounds)
        for kind in ("paraformer", "sensevoice")
    }
    section = decoding_markdown(results)
    values = {kind: asdict(result) for kind, result in results.items()}
    write("decoding", values, [section], options.output)


def run_each(
    command: str,
    options: argparse.Namespace,
    measure: Callable[[ModelKind, Path, Path], Result],
    render: Callable[[str, Result], str],
) -> None:
    """Measure the offline models that are named, and write what came out.

    Args:
        command: names the files.
        options: of the command line.
        measure: gets a model's kind, its export and a folder for what is installed.
        render: gets a title and a result, and gives a section of the page.
    """
    results: dict[str, Any] = {}
    sections = []
    for kind in (KINDS["paraformer"], KINDS["sensevoice"]):
        source = getattr(options, kind.name)
        if source is not None:
            result = measure(kind, source, options.work / source.name)
            results[kind.name] = asdict(result)
            sections.append(render(f"{kind.name}, {source.name}", result))
    write(command, results, sections, options.output)


def spoken(options: argparse.Namespace) -> list[Recording]:
    """Make the recordings that the command line asks for."""
    return make_recordings(sorted(SAMPLES.glob("*.wav")), options.recordings, options.seed)


def run_gpu(options: argparse.Namespace) -> None:
    """Measure a machine with a GPU and write gpu.json and gpu.md."""
    named = {kind: getattr(options, kind.replace("-", "_")) for kind in (*RECOGNISERS, STREAMING)}
    plan = GpuPlan(
        "cpu" if options.cpu else "gpu",
        {kind: source or KINDS[kind].embedded for kind, source in named.items()},
        options.precision,
        "1.19" if options.cpu else options.onnxruntime,
        sorted(options.batch),
        sorted(options.concurrency),
        sorted(options.streams),
        options.texts,
        options.seconds,
        60 * options.minutes,
    )
    report = measure_gpu(plan, spoken(options), options.work, log)
    write("gpu", asdict(report), [gpu_markdown(report)], options.output)


def run_glue(options: argparse.Namespace) -> None:
    """Measure the ensembles around stand-ins for their graphs and write glue.json and glue.md.

    Streams alone are written to glue-streaming.json and glue-streaming.md.
    """
    recordings = spoken(options)
    results, sections = {}, []
    if options.concurrency:
        result = measure_glue(
            recordings, sorted(options.concurrency), options.run_ms / 1000, options.max_batch, log
        )
        results["sensevoice"] = asdict(result)
        sections.append(glue_markdown(result))
    if options.streams:
        runs_s = (options.encoder_ms / 1000, options.decoder_ms / 1000)
        streams = measure_streams(
            recordings, sorted(options.streams), options.seconds, *runs_s, log
        )
        results["paraformer_online"] = asdict(streams)
        sections.append(streams_markdown(streams))
    name = "glue" if options.concurrency else "glue-streaming"
    write(name, results, sections, options.output)


def run_page(options: argparse.Namespace) -> None:
    """Draw the plots and write the page."""
    from lab.benchmark.plots import plot_offline, plot_streaming  # the extra "benchmark"

    for path in sorted(options.results.glob("*.json")):
        results = json.loads(path.read_text(encoding="utf-8"))["results"]
        for name, plot in (("offline", plot_offline), ("streaming", plot_streaming)):
            if path.stem.startswith(name):
                plot(results, path.with_suffix(".png"))
    write_page(options.results, options.target)


def write(name: str, results: Mapping[str, Any], sections: Sequence[str], folder: Path) -> None:
    """Write the figures as JSON and as a page, and print the page."""
    machine = describe_machine()
    folder.mkdir(parents=True, exist_ok=True)
    content = {
        "command": shlex.join(["python", "-m", "scripts.benchmark", *sys.argv[1:]]),
        "machine": machine,
        "sections": sections,
        "results": results,
    }
    (folder / f"{name}.json").write_text(json.dumps(content, indent=2))
    listing = [f"- {key}: {value}" for key, value in machine.items()]
    page = "\n".join([*listing, "", *sections])
    (folder / f"{name}.md").write_text(page)
    print(page)


def log(line: str) -> None:
    """Say how far it is, beside the figures."""
    print(line, file=sys.stderr, flush=True)


RUNS = {
    "offline": run_offline,
    "streaming": run_streaming,
    "file": run_file,
    "frontend": run_frontend,
    "latency": run_latency,
    "accuracy": run_accuracy,
    "decoding": run_decoding,
    "gpu": run_gpu,
    "glue": run_glue,
    "page": run_page,
}


if __name__ == "__main__":
    sys.exit(main())
