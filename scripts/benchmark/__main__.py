"""Command line of the benchmark.

    python -m scripts.benchmark offline --paraformer DIR --sensevoice DIR

DIR is an exported model; full-size ones with random weights, which cost what real ones do, come
from `python -m scripts.export_random_models`.
"""

from __future__ import annotations

import argparse
import json
import sys
from dataclasses import asdict
from pathlib import Path

from scripts.benchmark.offline import measure_offline
from scripts.benchmark.report import describe_machine, offline_markdown
from scripts.benchmark.workload import make_recordings
from scripts.install_model import KINDS, ROOT

SAMPLES = ROOT / "embedded_models" / "samples"


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(prog="scripts.benchmark", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    offline = commands.add_parser("offline", help="server against bare session")
    for kind in ("paraformer", "sensevoice"):
        offline.add_argument(f"--{kind}", type=Path, help=f"exported {kind} model")
    offline.add_argument("--recordings", type=int, default=24, help="default: %(default)s")
    offline.add_argument("--rounds", type=int, default=3, help="default: %(default)s")
    offline.add_argument("--concurrency", type=int, nargs="+", default=[4, 8])
    offline.add_argument("--seed", type=int, default=0, help="default: %(default)s")
    offline.add_argument("--output", type=Path, default=ROOT / ".cache/benchmark")
    return run_offline(parser.parse_args(arguments))


def run_offline(options: argparse.Namespace) -> int:
    """Measure the named models and write offline.json and offline.md."""
    recordings = make_recordings(sorted(SAMPLES.glob("*.wav")), options.recordings, options.seed)
    machine = describe_machine()
    results, sections = {}, []
    for name in ("paraformer", "sensevoice"):
        source = getattr(options, name)
        if source is None:
            continue
        result = measure_offline(
            KINDS[name], source, recordings, options.concurrency, options.rounds, log
        )
        results[name] = asdict(result)
        sections.append(offline_markdown(f"{name}, {source.name}", result, recordings))
    options.output.mkdir(parents=True, exist_ok=True)
    (options.output / "offline.json").write_text(
        json.dumps({"machine": machine, "results": results}, indent=2)
    )
    listing = [f"- {name}: {value}" for name, value in machine.items()]
    page = "\n".join([*listing, "", *sections])
    (options.output / "offline.md").write_text(page)
    print(page)
    return 0


def log(line: str) -> None:
    """Say how far it is, beside the figures."""
    print(line, file=sys.stderr, flush=True)


if __name__ == "__main__":
    sys.exit(main())
