"""The options of `triton-asr archive`."""

from __future__ import annotations

import argparse

from ..arguments import (
    names_files,
    positive_count,
    seconds,
)
from ..recognition_options import add_recognition_options

FORMATS = {"json": ".jsonl", "kaldi": ".txt"}
COMMIT_S = 10.0
EACH_NODE = "each-node"


def worker_count(text: str) -> int | None:
    """Parse the number of workers, None for one on each node; for argparse."""
    return None if text == EACH_NODE else positive_count(text)


def add_archive_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `triton-asr archive`."""
    manifest = parser.add_argument(
        "manifest",
        metavar="MANIFEST",
        help="list of recordings: Kaldi's wav.scp or data folder, JSON lines (*.jsonl) or Parquet "
        "(*.parquet); it and what it names may lie in an object store (s3://…)",
    )
    segments = parser.add_argument(
        "--segments", metavar="FILE", help="Kaldi's, beside a wav.scp: 'id recording start end'"
    )
    parser.add_argument(
        "--output-dir",
        required=True,
        metavar="DIR",
        help="where results and ledger are written, a folder or an object store; the same command "
        "goes on with what is left",
    )
    parser.add_argument("--force", action="store_true", help="remove what is there, begin anew")
    parser.add_argument(
        "--retry-failed", action="store_true", help="try those again that have failed before"
    )
    parser.add_argument(
        "--allow-urls",
        action="store_true",
        help="take http://, https:// and other addresses outside object stores, too",
    )
    parser.add_argument(
        "--format",
        default="json",
        choices=tuple(FORMATS),
        help="json (an object a line) or kaldi ('id text') (default: %(default)s)",
    )
    parser.add_argument(
        "--ordered", action="store_true", help="results in the order of the manifest"
    )
    parser.add_argument(
        "--commit-every",
        type=seconds,
        default=COMMIT_S,
        metavar="SECONDS",
        help="how often results are written; what a killed run had not written is done again "
        "(default: %(default)g)",
    )
    ray = parser.add_argument_group("on a Ray cluster (pip install triton-asr[ray])")
    ray.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="have it done by workers of a cluster: auto (without an address) is the one that this "
        "machine belongs to, local starts one here for this run",
    )
    ray.add_argument(
        "--workers",
        type=worker_count,
        metavar="N|each-node",
        help="so many somewhere, or one on each node, also on those that join later; with a --url "
        "at 127.0.0.1 each takes its own node's server (default: each-node)",
    )
    add_recognition_options(parser)
    parser.add_argument(
        "--itn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="numbers as figures; SenseVoice: punctuation too (default: yes)",
    )
    for action in (manifest, segments):
        names_files(action)
