"""Makes the last layer of a trained speaker model tell speakers rather than rooms and words.

    python -m lab.training.whiten_speakers --training .cache/embedded/speaker \\
        --output .cache/embedded/speaker_whitened

Linear discriminant analysis of the embeddings of crops of 1.5 s: directions in which one speaker's
crops differ are shrunk, those in which speakers differ are kept, as far as there are any. A linear
map behind a linear layer is that layer with other weights, so the model stays FunASR's class.
(Ioffe, "Probabilistic linear discriminant analysis", 2006)
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from .speaker_model import build_speaker_model

DIRECTIONS = 40
SHRINKAGE = 0.1
"""Of the spread within speakers towards one that is the same in all directions."""
CROP_FRAMES, BATCH = 148, 32
FARTHEST = 5.0
"""Times the median length; what is longer is left out."""

Floats = NDArray[np.float64]


def discriminant(embeddings: Floats, speakers: NDArray[np.int64]) -> tuple[Floats, Floats]:
    """Return the mean [D] and the map [D, `DIRECTIONS`] of embeddings [n, D] of many speakers."""
    mean = embeddings.mean(axis=0)
    centred = embeddings - mean
    _, whose, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), centred.shape[1]))
    np.add.at(means, whose, centred)
    means /= counts[:, None]
    rest = centred - means[whose]
    within = rest.T @ rest / (len(rest) - len(counts))
    between = means.T @ means / len(counts) - within * np.mean(1 / counts)
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.trace(within) / len(within) * np.eye(
        len(within)
    )
    values, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(values)
    ratios, directions = np.linalg.eigh(white.T @ between @ white)
    best = np.argsort(-ratios)[:DIRECTIONS]
    ratios = np.maximum(ratios[best], 0.0)
    return mean, white @ directions[:, best] * np.sqrt(ratios / (ratios + 1))


def crops_of(shards: Path, numbers: range) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Return a crop of each recording that is long enough, [n, T, 80], and whose it is."""
    rng, crops, speakers = np.random.default_rng(0), [], []
    for number in numbers:
        frames = np.load(shards / f"speakers_{number:05d}.npy", mmap_mode="r")
        position = 0
        for length, speaker in np.load(shards / f"speakers_{number:05d}.rows.npy"):
            if length >= CROP_FRAMES:
                start = position + int(rng.integers(length - CROP_FRAMES + 1))
                crop = np.asarray(frames[start : start + CROP_FRAMES], np.float32)
                crops.append(crop - crop.mean(axis=0))
                speakers.append(speaker)
            position += length
    return np.stack(crops), np.array(speakers, np.int64)


def whitened(weights: dict[str, torch.Tensor], mean: Floats, map_: Floats) -> dict[str, Any]:
    """Return the weights with the map in the last layer."""
    layer, norm = "model.xvector.dense.linear.weight", "model.xvector.dense.nonlinear.batchnorm."
    found = dict(weights)
    scale = 1 / np.sqrt(weights[f"{norm}running_var"].double().numpy() + 1e-5)
    unit = np.sqrt(1 + 1e-5)  # what the layer divides by where the variance is 1
    linear = weights[layer].double().numpy()[:, :, 0]
    offset = scale * weights[f"{norm}running_mean"].double().numpy() + mean
    found[layer] = torch.from_numpy(unit * (map_.T * scale) @ linear)[:, :, None].float()
    found[f"{norm}running_mean"] = torch.from_numpy(unit * map_.T @ offset).float()
    found[f"{norm}running_var"] = torch.ones(map_.shape[1])
    return found


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, default=Path(".cache/embedded/speaker"))
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/speaker_shards"))
    parser.add_argument("--first", type=int, default=0, help="shard; those of the training go, too")
    parser.add_argument("--last", type=int, default=24)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    weights = torch.load(arguments.training / "average.pt", map_location="cpu", weights_only=True)
    model = build_speaker_model()
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in weights.items() if k != "directions"}
    )
    model.eval()
    crops, speakers = crops_of(arguments.shards, range(arguments.first, arguments.last))
    with torch.no_grad():
        embeddings = np.concatenate(
            [
                model(torch.from_numpy(crops[first : first + BATCH])).double().numpy()
                for first in range(0, len(crops), BATCH)
            ]
        )
    lengths = np.linalg.norm(embeddings, axis=1)
    near = lengths < FARTHEST * np.median(lengths)
    mean, map_ = discriminant(embeddings[near], speakers[near])
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.save(whitened(weights, mean, map_), arguments.output / "average.pt")
    shutil.copyfile(arguments.training / "training_log.csv", arguments.output / "training_log.csv")
    print(f"{near.sum()} crops of {len(set(speakers.tolist()))} speakers, {(~near).sum()} left out")


if __name__ == "__main__":
    main()
