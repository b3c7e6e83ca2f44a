"""What every training of a recogniser has: how long, on what, fed by how many."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .dataset import BATCH_LFR_FRAMES
from .loading import Maker, load_batches
from .training_loop import Schedule, Trainer

Loss = Callable[[Any, Any], tuple[torch.Tensor, dict[str, torch.Tensor]]]
"""Of a model and a batch: what is minimised, and figures for the log."""
Evaluation = Callable[[nn.Module], dict[str, float]]


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


def train(
    model: nn.Module,
    arguments: argparse.Namespace,
    warmup_steps: int,
    make: Maker[Any],
    loss_of: Loss,
    make_evaluation: Callable[[], Evaluation],
    evaluate_every_s: float = 240.0,
) -> None:
    """Trains a recogniser as its options say.

    arguments: of `add_run_options`, and `directory` and `rate`; make: endless batches of a seed;
    make_evaluation: makes the check on the way, unless there is to be none.
    """
    schedule = Schedule(_minutes_left(arguments), arguments.rate, warmup_steps)
    device: torch.device = arguments.device
    trainer = Trainer(
        model, arguments.directory, schedule, device=device, save_every_s=arguments.save_every
    )

    def cast_loss(model: nn.Module, batch: Any) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        with torch.autocast(device.type, torch.bfloat16, enabled=arguments.bfloat16):
            return loss_of(model, batch)

    evaluate = None if arguments.no_dev else make_evaluation()
    batches = load_batches(make, trainer.seed + 1, arguments.loaders, device)
    trainer.run(batches, cast_loss, evaluate, evaluate_every_s, arguments.max_steps)


def _minutes_left(arguments: argparse.Namespace) -> float:
    """How long to train, from now."""
    if arguments.until is None:
        return float(arguments.minutes)
    return max(0.0, (arguments.until - time.time()) / 60)
