"""Trains the BiCifParaformer's timestamp branch on a finished, frozen recogniser.

    python -m lab.training.train_timestamps --minutes 7

FunASR reads times from the upsampled weights (20 ms a frame): the running sum reaches i + 1
a frame and a half after character i begins, and one more where the last one ends. FunASR's own
loss asks for the right total only; here the sum is also compared at every character boundary
and half-way between, since the synthesiser told when words begin.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .cmvn import read_cmvn
from .dataset import BatchStream, Item, Shards, pad_features
from .export import load_weights
from .frame_targets import word_spans
from .models import build_model, paraformer_config
from .train_paraformer import masked_hidden
from .training_loop import Schedule, Trainer

UPSAMPLED_FRAME_MS = 20.0
FIRE_DELAY_FRAMES = 1.5
BRANCH = ("upsample_cnn", "blstm", "cif_output2")


def boundaries(item: Item) -> tuple[list[float], list[float]]:
    """Frames (20 ms) at which the running sum is known, and its value there.

    Between the end of one sentence and the start of the next the sum waits for the next start.
    """
    frames: list[float] = []
    sums: list[float] = []
    begun = 0
    end = 0.0
    for record, offset_ms in zip(item.records, item.offsets_ms, strict=True):
        for text, start, finish in word_spans(record):
            edges = offset_ms + np.linspace(start, finish, 2 * len(text) + 1)
            for index, edge in enumerate(edges[:-1]):
                frames.append(edge / UPSAMPLED_FRAME_MS + FIRE_DELAY_FRAMES)
                sums.append(begun + 1 + index / 2)
            begun += len(text)
            end = float(edges[-1])
    if begun:
        frames.append(end / UPSAMPLED_FRAME_MS + FIRE_DELAY_FRAMES)
        sums.append(begun + 1.0)
    return frames, sums


def upsampled_weights(predictor: Any, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The timestamp branch's weights [batch, 3 * frames], zero past each length."""
    upsampled = predictor.upsample_cnn(hidden.transpose(1, 2)).transpose(1, 2)
    memory, _ = predictor.blstm(upsampled)
    alphas = torch.sigmoid(predictor.cif_output2(memory).squeeze(-1))
    alphas = torch.relu(alphas * predictor.smooth_factor2 - predictor.noise_threshold2)
    return alphas * mask.repeat_interleave(predictor.upsample_times, dim=1)


def timestamp_loss(model: Any, items: list[Item]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Errors of the running sum at the boundaries and of its total, per token."""
    features, lengths = (torch.from_numpy(array) for array in pad_features(items))
    with torch.no_grad():
        hidden, mask = masked_hidden(model, features, lengths)
    alphas = upsampled_weights(model.predictor, hidden, mask)
    sums = torch.cumsum(alphas, dim=1)
    errors, totals = [], []
    for row, item in zip(sums, items, strict=True):
        frames, due = boundaries(item)
        totals.append((row[-1] - sum(len(r["spoken"]) for r in item.records) - 1).abs())
        if not frames:
            continue
        position = torch.tensor(frames).clamp(0, len(row) - 1.001)
        left = position.floor().long()
        weight = position - left
        value = row[left] * (1 - weight) + row[left + 1] * weight
        error = value - torch.tensor(due)
        errors.append((error[1:] - error[:-1]).abs())
        errors.append(error.abs() * 0.1)
    tokens = sum(len(r["spoken"]) + 1 for item in items for r in item.records)
    step_loss = torch.cat(errors).sum() / tokens if errors else alphas.sum() * 0
    total_loss = torch.stack(totals).sum() / tokens
    return step_loss + total_loss, {"boundary": step_loss, "total": total_loss}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/shards"))
    parser.add_argument("--paraformer", type=Path, default=Path(".cache/embedded/paraformer"))
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/timestamps"))
    parser.add_argument("--minutes", type=float, default=7.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(3)
    tokens = json.loads((arguments.paraformer / "tokens.json").read_text(encoding="utf-8"))
    model = build_model(paraformer_config(), len(tokens))
    model.load_state_dict(load_weights(arguments.paraformer / "average.pt"))
    for name, parameter in model.named_parameters():
        parameter.requires_grad = any(part in name for part in BRANCH)
    mean, scale = read_cmvn(arguments.paraformer / "am.mvn")
    shards = Shards(arguments.shards, ("zh",))
    schedule = Schedule(arguments.minutes, arguments.rate, warmup_steps=50)
    trainer = Trainer(model, arguments.directory, schedule)
    for name in ("tokens.json", "am.mvn"):
        shutil.copyfile(arguments.paraformer / name, arguments.directory / name)
    stream = BatchStream(shards, mean, scale, trainer.seed + 1, {"zh": 1.0})
    for module in (trainer.model, trainer.average):
        module.specaug = None

    def loss_of(model: Any, items: list[Item]) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        model.encoder.eval()
        return timestamp_loss(model, items)

    trainer.run(iter(stream), loss_of, lambda model: {})


if __name__ == "__main__":
    main()
