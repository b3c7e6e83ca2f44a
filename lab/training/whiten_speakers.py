"""Makes the last layer of a trained speaker model tell speakers rather than rooms and words.

    python -m lab.training.whiten_speakers --training .cache/embedded/speaker \\
        --output .cache/embedded/speaker_whitened

Linear discriminant analysis of what the last layer is given: directions in which one speaker's
windows differ are shrunk, those in which speakers differ are kept, as far as there are any. How
speakers differ is seen from crops of many recordings; how one speaker's windows differ, from those
of made meetings, which have other voices and pauses in them. A linear map is such a layer with
other weights, so the model stays FunASR's class.
(Ioffe, "Probabilistic linear discriminant analysis", 2006)
"""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from asr_client.diarisation.windows import windows_of
from asr_client.files import Segment
from asr_core.speakers import SpeakerFbank

from .evaluate_speakers import MODELS, OVERLAP_SHARE
from .exported_graphs import ExportedVad
from .meetings import make_meeting
from .speaker_model import build_speaker_model

DIRECTIONS = 40
SHRINKAGE = 0.1
"""Of the spread within speakers towards one without correlations."""
CROP_FRAMES, BATCH = 148, 32
LEAST_WINDOWS = 4
"""Of a speaker in a meeting, to say how his windows differ."""

Floats = NDArray[np.float64]


class Spread(NamedTuple):
    """How statistics [n, D] of many speakers differ: mean [D], covariances [D, D]."""

    mean: Floats
    within: Floats
    between: Floats


def spread_of(statistics: Floats, speakers: NDArray[np.int64]) -> Spread:
    """Measure the spread within speakers and that of their means."""
    mean = statistics.mean(axis=0)
    centred = statistics - mean
    _, whose, counts = np.unique(speakers, return_inverse=True, return_counts=True)
    means = np.zeros((len(counts), centred.shape[1]))
    np.add.at(means, whose, centred)
    means /= counts[:, None]
    rest = centred - means[whose]
    within = rest.T @ rest / (len(rest) - len(counts))
    return Spread(mean, within, means.T @ means / len(counts) - within * np.mean(1 / counts))


def discriminant(within: Floats, between: Floats) -> Floats:
    """Return the map [D, `DIRECTIONS`] to directions in which speakers differ most."""
    scale = np.sqrt(np.diag(within))
    within, between = (each / scale / scale[:, None] for each in (within, between))
    within = (1 - SHRINKAGE) * within + SHRINKAGE * np.eye(len(within))
    values, vectors = np.linalg.eigh(within)
    white = vectors / np.sqrt(values)
    ratios, directions = np.linalg.eigh(white.T @ between @ white)
    best = np.argsort(-ratios)[:DIRECTIONS]
    ratios = np.maximum(ratios[best], 0.0)
    return np.asarray(white @ directions[:, best] * np.sqrt(ratios / (ratios + 1)) / scale[:, None])


def crops_of(shards: Path, numbers: range) -> tuple[list[NDArray[np.float32]], list[int]]:
    """Return a crop [T, 80] of each recording that is long enough, and whose it is."""
    crops, speakers = [], []
    for number in numbers:
        rng = np.random.default_rng(number)
        frames = np.load(shards / f"speakers_{number:05d}.npy", mmap_mode="r")
        position = 0
        for length, speaker in np.load(shards / f"speakers_{number:05d}.rows.npy"):
            if length >= CROP_FRAMES:
                start = position + int(rng.integers(length - CROP_FRAMES + 1))
                crop = np.asarray(frames[start : start + CROP_FRAMES], np.float32)
                crops.append(crop - crop.mean(axis=0))
                speakers.append(int(speaker))
            position += length
    return crops, speakers


def windows_of_meetings(count: int) -> Iterator[tuple[NDArray[np.float32], tuple[int, int]]]:
    """Yield windows' features [T, 80], and whose most of each is: meeting and number.

    Windows are cut as the file pipeline does; half of the meetings have no overlaps.
    """
    vad, extract = ExportedVad(MODELS / "vad"), SpeakerFbank()
    for number in range(count):
        share = OVERLAP_SHARE * (number % 2)
        meeting = make_meeting(f"train {number}", 2 + number // 2 % 5, share, held_out=False)
        ((*spans,),) = vad.segments([meeting.waveform], max_single_segment_time=30_000)
        for start_ms, end_ms in spans:
            samples = meeting.waveform[start_ms * 16 : end_ms * 16]
            for window in windows_of(Segment(start_ms, end_ms, samples)):
                share_of = meeting.shares(window.start_ms / 1000, window.end_ms / 1000)
                if share_of.max() > 0.5:
                    yield extract(window.waveform), (number, int(share_of.argmax()))


def pooled(model: Any, features: list[NDArray[np.float32]]) -> Floats:
    """Return what the last layer is given for features [T, 80] of any length, [n, D]."""
    lengths = np.array([len(each) for each in features])
    found: dict[int, NDArray[np.float32]] = {}
    with torch.no_grad():
        for length in np.unique(lengths):
            places = np.flatnonzero(lengths == length)
            for first in range(0, len(places), BATCH):
                some = places[first : first + BATCH]
                batch = torch.from_numpy(np.stack([features[place] for place in some]))
                found |= zip(some.tolist(), model(batch).numpy(), strict=True)
    return np.stack([found[place] for place in range(len(features))]).astype(np.float64)


def whitened(weights: dict[str, torch.Tensor], mean: Floats, map_: Floats) -> dict[str, Any]:
    """Return the weights with the map as the last layer."""
    layer, norm = "model.xvector.dense.linear.weight", "model.xvector.dense.nonlinear.batchnorm."
    unit = np.sqrt(1 + 1e-5)  # what the layer divides by where the variance is 1
    return weights | {
        layer: torch.from_numpy(unit * map_.T)[:, :, None].float(),
        f"{norm}running_mean": torch.from_numpy(unit * map_.T @ mean).float(),
        f"{norm}running_var": torch.ones(map_.shape[1]),
    }


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, default=Path(".cache/embedded/speaker"))
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/speaker_shards"))
    parser.add_argument("--first", type=int, default=10, help="shard; those of the training go")
    parser.add_argument("--last", type=int, default=60)
    parser.add_argument("--meetings", type=int, default=40)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    weights = torch.load(arguments.training / "average.pt", map_location="cpu", weights_only=True)
    model = build_speaker_model()
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in weights.items() if k != "directions"}
    )
    model.xvector.dense = torch.nn.Identity()
    model.eval()
    crops, speakers = crops_of(arguments.shards, range(arguments.first, arguments.last))
    mean, _, between = spread_of(pooled(model, crops), np.array(speakers))
    windows, whose = map(list, zip(*windows_of_meetings(arguments.meetings), strict=True))
    _, numbers, counts = np.unique(whose, axis=0, return_inverse=True, return_counts=True)
    enough = counts[numbers.reshape(-1)] >= LEAST_WINDOWS
    within = spread_of(pooled(model, windows)[enough], numbers.reshape(-1)[enough]).within
    map_ = discriminant(within, between)
    arguments.output.mkdir(parents=True, exist_ok=True)
    torch.save(whitened(weights, mean, map_), arguments.output / "average.pt")
    shutil.copyfile(arguments.training / "training_log.csv", arguments.output / "training_log.csv")
    print(
        f"{len(crops)} crops of {len(set(speakers))} speakers, "
        f"{int(enough.sum())} windows of {arguments.meetings} meetings"
    )


if __name__ == "__main__":
    main()
