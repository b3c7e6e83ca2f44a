"""Averages the weights of trainings that started from one another.

    python -m lab.training.average_weights old/average.pt new/average.pt new/average.pt \
        --output mean/average.pt

A file named twice counts twice; the other files of the last one's folder come along. With
`--shares encoder=0.6 decoder=0` the files after the first give so much of each part of the model,
of other parts nothing.
Wortsman et al., "Model soups", 2022: the mean often makes fewer errors than either.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch


def average(paths: list[Path]) -> dict[str, torch.Tensor]:
    """The mean of each tensor over the files that have it; integers are the last file's."""
    every = [torch.load(path, weights_only=True) for path in paths]
    mean: dict[str, torch.Tensor] = {}
    for name in dict.fromkeys(name for weights in every for name in weights):
        tensors = [weights[name] for weights in every if name in weights]
        mean[name] = tensors[-1]
        if tensors[-1].is_floating_point():
            mean[name] = torch.stack([tensor.float() for tensor in tensors]).mean(0)
    return mean


def mix(
    before: dict[str, torch.Tensor], after: dict[str, torch.Tensor], shares: dict[str, float]
) -> dict[str, torch.Tensor]:
    """`before` with a share of `after` in the tensors of each part, which begins their names."""
    mixed = dict(before)
    for name in before.keys() & after.keys():
        share = shares.get(name.split(".")[0], 0.0)
        if before[name].is_floating_point():
            mixed[name] = torch.lerp(before[name].float(), after[name].float(), share)
    return mixed


def part_share(text: str) -> tuple[str, float]:
    """A part of a model and its share, of "encoder=0.6"."""
    part, _, share = text.partition("=")
    return part, float(share)


def copy_companions(training: Path, output: Path) -> None:
    """Copies what an export needs beside the weights: tokens, mean and log of a training."""
    for path in training.iterdir():
        if path.is_file() and path.suffix not in (".pt", ".partial"):
            shutil.copyfile(path, output / path.name)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--shares", type=part_share, nargs="+", metavar="PART=SHARE")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    before, *after = arguments.weights
    if arguments.shares:
        mean = mix(average([before]), average(after), dict(arguments.shares))
    else:
        mean = average(arguments.weights)
    torch.save(mean, arguments.output)
    copy_companions(arguments.weights[-1].parent, arguments.output.parent)


if __name__ == "__main__":
    main()
