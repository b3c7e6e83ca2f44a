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
        "--segments",
        metavar="FILE",
        help="Kaldi segments file for a wav.scp: 'id recording start end'",
    )
    parser.add_argument(
        "--output-dir",
        required=True,
        metavar="DIR",
        help="folder or object store for results and ledger; the same command resumes an "
        "interrupted run",
    )
    parser.add_argument(
        "--force", action="store_true", help="delete earlier results and start again"
    )
    parser.add_argument(
        "--retry-failed",
        action="store_true",
        help="try recordings again that failed in an earlier run",
    )
    parser.add_argument(
        "--allow-urls",
        action="store_true",
        help="also accept http://, https:// and other addresses outside object stores",
    )
    parser.add_argument(
        "--format",
        default="json",
        choices=tuple(FORMATS),
        help="json (one object per line) or kaldi ('id text') (default: %(default)s)",
    )
    parser.add_argument(
        "--ordered", action="store_true", help="write results in the order of the manifest"
    )
    parser.add_argument(
        "--commit-every",
        type=seconds,
        default=COMMIT_S,
        metavar="SECONDS",
        help="how often results are written; a killed run repeats what it had not written "
        "(default: %(default)g)",
    )
    ray = parser.add_argument_group('on a Ray cluster (pip install "triton-asr[ray]")')
    ray.add_argument(
        "--ray",
        nargs="?",
        const="auto",
        metavar="ADDRESS",
        help="use workers of a Ray cluster: auto (the default address) is the cluster of this "
        "machine, local starts one for this run",
    )
    ray.add_argument(
        "--workers",
        type=worker_count,
        metavar="N|each-node",
        help="this many workers anywhere, or one on each node, including nodes that join later; "
        "with --url at 127.0.0.1 each uses the server of its node (default: each-node)",
    )
    add_recognition_options(parser)
    parser.add_argument(
        "--itn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="write numbers as digits; SenseVoice: also punctuation (default: yes)",
    )
    for action in (manifest, segments):
        names_files(action)
