"""The words of the benchmark's command line."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import get_args

from asr_server.models import KINDS
from asr_server.models.names import OnnxRuntime
from asr_server.places import ROOT, SAMPLES
from lab.benchmark.accuracy import ACCURACY_PEERS
from lab.benchmark.concurrent import LAYOUTS
from lab.benchmark.funasr_server import CHECKOUT_VARIABLE
from lab.benchmark.installed_models import MeasuredPrecision
from lab.benchmark.offline_peers import FUNASR_SERVER, PEERS


def build_parser(description: str) -> argparse.ArgumentParser:
    """Return the parser; `command` of what it gives is the sub-command's name."""
    parser = argparse.ArgumentParser(prog="scripts.benchmark", description=description)
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
    streaming = commands.add_parser("streaming", help="real-time streams that a server sustains")
    streaming.add_argument("--model", type=Path, required=True, help="exported streaming model")
    streaming.add_argument("--streams", type=int, nargs="+", default=[2, 4, 6, 8, 10, 12, 16])
    streaming.add_argument("--seconds", type=float, default=30, help="default: %(default)s")
    streaming.add_argument("--sherpa", action="store_true", help="sherpa-onnx's server as well")
    streaming.set_defaults(recordings=24)
    file = commands.add_parser("file", help="transcription pipeline against its recogniser")
    for kind in ("paraformer", "sensevoice"):
        file.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    file.add_argument("--talk", type=Path, default=SAMPLES / "talk.ogg", help="16 kHz mono")
    file.add_argument("--repeats", type=int, default=3, help="default: %(default)s")
    file.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    file.add_argument("--in-flight", type=int, nargs="+", default=[4, 8])
    frontend = commands.add_parser("frontend", help="front end and scoring against the encoder")
    for kind in ("paraformer", "sensevoice"):
        frontend.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    frontend.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    frontend.add_argument("--recordings", type=int, default=12, help="default: %(default)s")
    latency = commands.add_parser("latency", help="one request of 5 s at no load")
    for kind in ("paraformer", "sensevoice"):
        latency.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    latency.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    latency.add_argument("--recordings", type=int, default=24, help="default: %(default)s")
    latency.add_argument("--precision", choices=get_args(MeasuredPrecision), default="fp32")
    accuracy = commands.add_parser("accuracy", help="error rates beside the peers'")
    for embedded in (KINDS["paraformer"], KINDS["sensevoice"]):
        accuracy.add_argument(
            f"--{embedded.name}", type=Path, default=embedded.embedded, help="default: embedded"
        )
    accuracy.add_argument("--held-out", type=Path, default=ROOT / "tests/data/heldout")
    accuracy.add_argument(
        "--peers", nargs="*", choices=ACCURACY_PEERS, default=ACCURACY_PEERS, help="default: all"
    )
    decoding = commands.add_parser("decoding", help="the search for hotwords and with n-grams")
    decoding.add_argument("--held-out", type=Path, default=ROOT / "tests/data/heldout")
    decoding.add_argument("--rounds", type=int, default=5, help="default: %(default)s")
    gpu = commands.add_parser("gpu", help="all there is to know of a machine with a GPU")
    gpu.add_argument("--cpu", action="store_true", help="the same on the CPU, to try the program")
    gpu.add_argument("--minutes", type=float, default=8, help="default: %(default)s")
    gpu.add_argument(
        "--precision", choices=("fp32", "fp16"), default="fp16", help="default: %(default)s"
    )
    for kind in ("sensevoice", "paraformer", "paraformer-online"):
        gpu.add_argument(f"--{kind}", type=Path, help="exported model; default: the embedded one")
    gpu.add_argument(
        "--onnxruntime",
        choices=get_args(OnnxRuntime),
        default="1.25",
        help="the oldest that has to read a GPU's graphs, default: %(default)s",
    )
    gpu.add_argument(
        "--no-texts", dest="texts", action="store_false", help="leave the comparison of texts out"
    )
    gpu.add_argument("--batch", type=int, nargs="*", default=[1, 8, 32, 64, 128])
    gpu.add_argument("--concurrency", type=int, nargs="*", default=[1, 8, 64, 256, 512])
    gpu.add_argument("--streams", type=int, nargs="*", default=[300, 600, 1000, 1500, 2000])
    gpu.add_argument("--seconds", type=float, default=12, help="of a stream, default: 12")
    gpu.add_argument("--recordings", type=int, default=2048, help="default: %(default)s")
    glue = commands.add_parser("glue", help="all but the encoder, around a stand-in for it")
    glue.add_argument("--concurrency", type=int, nargs="*", default=[1, 16, 64, 256])
    glue.add_argument("--run-ms", type=float, default=300, help="of the stand-in, default: 300")
    glue.add_argument("--max-batch", type=int, default=64, help="32 or more; default: 64")
    glue.add_argument("--recordings", type=int, default=2048, help="default: %(default)s")
    glue.add_argument("--streams", type=int, nargs="*", default=[50, 100, 200])
    glue.add_argument("--seconds", type=float, default=15, help="of a stream, default: 15")
    glue.add_argument("--encoder-ms", type=float, default=18, help="of streaming, default: 18")
    glue.add_argument("--decoder-ms", type=float, default=7, help="default: 7")
    for command in (offline, streaming, file, frontend, latency, accuracy, decoding, gpu, glue):
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
    return parser
