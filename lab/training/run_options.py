"""Options that every training of a recogniser has: how long, on what, fed by how many."""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from .dataset import BATCH_LFR_FRAMES


def add_run_options(
    parser: argparse.ArgumentParser, minutes: float, batch_frames: int = BATCH_LFR_FRAMES
) -> None:
    """Adds them, with this training's defaults."""
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/shards"))
    parser.add_argument("--minutes", type=float, default=minutes)
    parser.add_argument("--until", type=float, help="Unix time to end at, in place of --minutes")
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--save-every", type=float, default=120.0, metavar="SECONDS")
    parser.add_argument("--no-dev", action="store_true", help="no development set on the way")
    parser.add_argument("--device", type=torch.device, default=torch.device("cpu"))
    parser.add_argument("--loaders", type=int, default=0, help="processes that make the batches")
    parser.add_argument(
        "--batch-frames", type=int, default=batch_frames, help="of 60 ms; a GPU wants several times"
    )
    parser.add_argument("--bfloat16", action="store_true", help="1.7 x faster with AVX512-BF16")


def minutes_left(arguments: argparse.Namespace) -> float:
    """How long to train, from now."""
    if arguments.until is None:
        return float(arguments.minutes)
    return max(0.0, (arguments.until - time.time()) / 60)
