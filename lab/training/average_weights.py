"""Averages the weights of trainings that started from one another.

    python -m lab.training.average_weights old/average.pt new/average.pt new/average.pt \
        --output mean/average.pt

A file named twice counts twice; the other files of the last one's folder come along.
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


def copy_companions(training: Path, output: Path) -> None:
    """Copies what an export needs beside the weights: tokens, mean and log of a training."""
    for path in training.iterdir():
        if path.is_file() and path.suffix not in (".pt", ".partial"):
            shutil.copyfile(path, output / path.name)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("weights", type=Path, nargs="+")
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    torch.save(average(arguments.weights), arguments.output)
    copy_companions(arguments.weights[-1].parent, arguments.output.parent)


if __name__ == "__main__":
    main()
