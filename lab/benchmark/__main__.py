"""Command line of the benchmark.

    python -m scripts.benchmark offline --paraformer DIR --sensevoice DIR
    FUNASR_DIR=DIR python -m scripts.benchmark offline --paraformer DIR \\
        --peers "FunASR server" gateway --funasr-python ENVIRONMENT/bin/python
    python -m scripts.benchmark streaming --model DIR --streams 4 6 8 10 12 --sherpa
    python -m scripts.benchmark frontend --paraformer DIR
    python -m scripts.benchmark latency --paraformer DIR
    python -m scripts.benchmark glue
    python -m scripts.benchmark accuracy
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
from typing import Any, TypeVar, get_args

from asr_server.models import KINDS, ModelKind
from asr_server.places import ROOT, SAMPLES
from lab.benchmark.accuracy import ACCURACY_PEERS, AccuracyResult, measure_accuracy
from lab.benchmark.concurrent import LAYOUTS
from lab.benchmark.frontend import FrontendResult, measure_frontend
from lab.benchmark.funasr_server import CHECKOUT_VARIABLE, FunasrError, find_funasr, require_weights
from lab.benchmark.glue import measure_glue
from lab.benchmark.gpu import PROVIDERS, NoGpuError, measure_gpu
from lab.benchmark.held_out import read_held_out
from lab.benchmark.installed_models import MeasuredPrecision
from lab.benchmark.lone_request import LatencyResult, measure_latency
from lab.benchmark.offline import OfflineResult, measure_offline
from lab.benchmark.offline_peers import FUNASR_SERVER, PEERS, Peers
from lab.benchmark.page import write_page
from lab.benchmark.report import (
    accuracy_markdown,
    describe_machine,
    file_markdown,
    frontend_markdown,
    glue_markdown,
    gpu_markdown,
    latency_markdown,
    offline_markdown,
    streaming_markdown,
)
from lab.benchmark.streaming import measure_streaming
from lab.benchmark.whole_file import FileResult, measure_file
from lab.benchmark.workload import Recording, make_recordings

Result = TypeVar("Result", OfflineResult, FileResult, FrontendResult, LatencyResult, AccuracyResult)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts.benchmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    offline = commands.add_parser("offline", help="server against bare session")
    for kind in ("paraformer", "sensevoice"):
        offline.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    offline.add_argument("--recordings", type=int, default=24, help="default: %(default)s")
    offline.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    offline.add_argument("--concurrency", type=int, nargs="+", default=[1, 4, 8])
    offline.add_argument("--peers", nargs="*", choices=PEERS, default=[], help="who else runs")
    offline.add_argument(
        "--funasr-python",
        default=sys.executable,
        help=f"interpreter with torch and funasr for the {FUNASR_SERVER}, which comes from the "
        f"checkout that {CHECKOUT_VARIABLE} names; default: this one",
    )
    offline.add_argument(
        "--funasr-layout",
        nargs=2,
        type=int,
        metavar=("THREADS", "CALLS"),
        help="torch's threads, and recognitions at a time; default: the fastest of "
        f"{', '.join(f'{threads} {calls}' for threads, calls in LAYOUTS)}, which are tried first",
    )
    offline.add_argument("--precision", choices=get_args(MeasuredPrecision), default="fp32")
    offline.set_defaults(run=run_offline)
    streaming = commands.add_parser("streaming", help="real-time streams that a server sustains")
    streaming.add_argument("--model", type=Path, required=True, help="exported streaming model")
    streaming.add_argument("--streams", type=int, nargs="+", default=[2, 4, 6, 8, 10, 12, 16])
    streaming.add_argument("--seconds", type=float, default=30, help="default: %(default)s")
    streaming.add_argument("--sherpa", action="store_true", help="sherpa-onnx's server as well")
    streaming.set_defaults(run=run_streaming, recordings=24)
    file = commands.add_parser("file", help="transcription pipeline against its recogniser")
    for kind in ("paraformer", "sensevoice"):
        file.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    file.add_argument("--talk", type=Path, default=SAMPLES / "talk.ogg", help="16 kHz mono")
    file.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    file.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    file.add_argument("--in-flight", type=int, nargs="+", default=[4, 8])
    file.set_defaults(run=run_file)
    frontend = commands.add_parser("frontend", help="front end and scoring against the encoder")
    for kind in ("paraformer", "sensevoice"):
        frontend.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    frontend.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    frontend.add_argument("--recordings", type=int, default=12, help="default: %(default)s")
    frontend.set_defaults(run=run_frontend)
    latency = commands.add_parser("latency", help="one request of 5 s at no load")
    for kind in ("paraformer", "sensevoice"):
        latency.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    latency.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    latency.add_argument("--recordings", type=int, default=24, help="default: %(default)s")
    latency.add_argument("--precision", choices=get_args(MeasuredPrecision), default="fp32")
    latency.set_defaults(run=run_latency)
    accuracy = commands.add_parser("accuracy", help="error rates beside the peers'")
    for embedded in (KINDS["paraformer"], KINDS["sensevoice"]):
        accuracy.add_argument(
            f"--{embedded.name}", type=Path, default=embedded.embedded, help="default: embedded"
        )
    accuracy.add_argument("--held-out", type=Path, default=ROOT / "tests/data/heldout")
    accuracy.add_argument(
        "--peers", nargs="*", choices=ACCURACY_PEERS, default=ACCURACY_PEERS, help="default: all"
    )
    accuracy.set_defaults(run=run_accuracy)
    gpu = commands.add_parser("gpu", help="the encoder alone on a GPU, by batch size")
    gpu.add_argument("--model", type=Path, required=True, help="exported model, for its front end")
    gpu.add_argument("--graph", type=Path, nargs="+", required=True, help="installed model.onnx")
    gpu.add_argument("--provider", nargs="+", choices=PROVIDERS, default=["cuda"])
    gpu.add_argument("--batch", type=int, nargs="+", default=[1, 4, 8, 16, 32])
    gpu.add_argument("--recordings", type=int, default=128, help="default: %(default)s")
    gpu.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    gpu.set_defaults(run=run_gpu)
    glue = commands.add_parser("glue", help="all but the encoder, around a stand-in for it")
    glue.add_argument("--concurrency", type=int, nargs="+", default=[1, 16, 64, 256])
    glue.add_argument("--run-ms", type=float, default=300, help="of the stand-in, default: 300")
    glue.add_argument("--max-batch", type=int, default=64, help="32 or more; default: 64")
    glue.add_argument("--recordings", type=int, default=2048, help="default: %(default)s")
    glue.set_defaults(run=run_glue)
    for command in (offline, streaming, file, frontend, latency, accuracy, gpu, glue):
        command.add_argument("--seed", type=int, default=0, help="default: %(default)s")
        command.add_argument("--output", type=Path, default=ROOT / ".cache/benchmark")
        command.add_argument(
            "--work",
            type=Path,
            default=ROOT / ".cache/benchmark/models",
            help="where installed models are kept for the next run, by name; default: %(default)s",
        )
    page = commands.add_parser("page", help="write docs/benchmarks.md from docs/benchmarks/*.json")
    page.add_argument("--results", type=Path, default=ROOT / "docs/benchmarks")
    page.add_argument("--target", type=Path, default=ROOT / "docs/benchmarks.md")
    page.set_defaults(run=run_page)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
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
    """Measure the graphs on the providers and write gpu.json and gpu.md."""
    recordings = spoken(options)
    results = [
        measure_gpu(graph, options.model, provider, recordings, options.batch, options.rounds, log)
        for graph in options.graph
        for provider in options.provider
    ]
    content = {f"{result.provider} {result.graph}": asdict(result) for result in results}
    write("gpu", content, [gpu_markdown(results)], options.output)


def run_glue(options: argparse.Namespace) -> None:
    """Measure the ensemble around a stand-in encoder and write glue.json and glue.md."""
    result = measure_glue(
        spoken(options), sorted(options.concurrency), options.run_ms / 1000, options.max_batch, log
    )
    write("glue", {"sensevoice": asdict(result)}, [glue_markdown(result)], options.output)


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


if __name__ == "__main__":
    sys.exit(main())
