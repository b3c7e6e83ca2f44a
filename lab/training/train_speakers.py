"""Trains a small CAM++, FunASR's own class, to tell invented voices apart.

    python -m lab.training.train_speakers --minutes 50

Crops of one to two seconds, as the file pipeline's windows are; a classifier of all speakers with
an additive margin, thrown away afterwards. `--device cuda` trains on a GPU.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from asr_core.speakers import SpeakerFbank

from .augmentation import degrade_for_test
from .equal_error_rate import equal_error_rate
from .speaker_model import MARGIN, SpeakerClassifier
from .speaker_recordings import SpeakerMaker
from .synthesiser import SynthesisError
from .training_loop import Schedule, Trainer

CROP_FRAMES = (98, 148, 148, 198)
MASK_SHARE, LONGEST_MASK = 0.3, 8
"""Crops with a band of mel bins hidden, and its widest."""
DEV_SPEAKERS, DEV_SENTENCES, DEV_FRAMES = 40, 4, 148


class SpeakerShards:
    """All shards of a directory, on the device that trains.

    Attributes:
        frames: float16 [frames, 80], recordings end to end.
        firsts, lengths, speakers: int64 [recordings].
    """

    def __init__(self, directory: Path, device: str) -> None:
        fbanks, rows = [], []
        for path in sorted(directory.glob("speakers_*.rows.npy")):
            fbanks.append(np.load(directory / path.name.replace(".rows.npy", ".npy")))
            rows.append(np.load(path))
        lengths, speakers = np.concatenate(rows).T
        self.frames = torch.from_numpy(np.concatenate(fbanks)).to(device)
        self.firsts = torch.from_numpy(np.cumsum(lengths) - lengths).to(device)
        self.lengths = torch.from_numpy(np.array(lengths)).to(device)
        self.speakers = torch.from_numpy(np.unique(speakers, return_inverse=True)[1]).to(device)

    @property
    def count(self) -> int:
        """How many speakers there are."""
        return int(self.speakers.max()) + 1


def crop_stream(
    shards: SpeakerShards, batch_frames: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Endless batches: features [B, T, 80] of one T, and the numbers of their speakers.

    A recording that is too short is said twice.
    """
    device, rng = shards.frames.device, np.random.default_rng(torch.initial_seed() % 2**32)
    while True:
        frames = int(rng.choice(CROP_FRAMES))
        drawn = torch.randint(len(shards.lengths), (batch_frames // frames,), device=device)
        lengths = shards.lengths[drawn]
        spare = (lengths - frames).clamp(min=0)
        starts = (torch.rand(len(drawn), device=device) * (spare + 1)).long()
        offsets = (starts[:, None] + torch.arange(frames, device=device)) % lengths[:, None]
        crops = shards.frames[shards.firsts[drawn][:, None] + offsets].float()
        crops = crops - crops.mean(dim=1, keepdim=True)
        yield hide_bands(crops), shards.speakers[drawn]


def hide_bands(crops: torch.Tensor) -> torch.Tensor:
    """Put zeros into a band of mel bins of some crops [B, T, 80]."""
    count, bins = len(crops), torch.arange(80, device=crops.device)
    low = torch.randint(80 - LONGEST_MASK, (count, 1), device=crops.device)
    width = torch.randint(1, LONGEST_MASK + 1, (count, 1), device=crops.device)
    hidden = (bins >= low) & (bins < low + width)
    hidden &= torch.rand(count, 1, device=crops.device) < MASK_SHARE
    return crops.masked_fill(hidden[:, None], 0.0)


class DevSpeakers:
    """Windows of voices that train nothing, watched during training; not the test's."""

    def __init__(self, device: str) -> None:
        maker, extract = SpeakerMaker("speakers dev", held_out=True), SpeakerFbank()
        windows, speakers = [], []
        for number in range(DEV_SPEAKERS):
            language = maker.language()
            voice = maker.speaker(number, language)
            for _ in range(DEV_SENTENCES):
                try:
                    waveform = degrade_for_test(maker.noise_rng, maker.say(voice, language))
                except SynthesisError:
                    continue
                fbank = extract.log_mel(waveform)[20 : 20 + DEV_FRAMES]
                if len(fbank) == DEV_FRAMES:
                    windows.append(fbank - fbank.mean(axis=0))
                    speakers.append(number)
        self._windows = torch.from_numpy(np.stack(windows)).to(device)
        self._speakers = np.array(speakers)

    def __call__(self, classifier: Any) -> dict[str, float]:
        """The equal error rate of all pairs."""
        with torch.no_grad():
            embeddings = classifier.model(self._windows).float().cpu().numpy()
        return {"dev_eer": equal_error_rate(embeddings, self._speakers).rate}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/speaker_shards"))
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/speaker"))
    parser.add_argument("--minutes", type=float, default=50.0)
    parser.add_argument("--rate", type=float, default=3e-3)
    parser.add_argument("--windows", type=int, default=64, help="of a step")
    parser.add_argument(
        "--margin-steps",
        type=int,
        default=400,
        help="until the margin has its full size: from random directions nothing is learnt by it",
    )
    parser.add_argument("--initial", type=Path, help="average.pt of a training to go on from")
    parser.add_argument("--device", default="cpu")
    arguments = parser.parse_args()
    if arguments.device == "cpu":
        torch.set_num_threads(1)
    torch.manual_seed(7)
    shards = SpeakerShards(arguments.shards, arguments.device)
    classifier = SpeakerClassifier(shards.count).to(arguments.device)
    if arguments.initial is not None:
        weights = torch.load(arguments.initial, map_location=arguments.device, weights_only=True)
        model = {k.removeprefix("model."): v for k, v in weights.items() if k != "directions"}
        classifier.model.load_state_dict(model)
    schedule = Schedule(arguments.minutes, arguments.rate, warmup_steps=200, flat=0.2)
    trainer = Trainer(classifier, arguments.directory, schedule, average_decay=0.995)

    def loss_of(
        model: Any, batch: tuple[torch.Tensor, torch.Tensor]
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return model.loss(*batch, MARGIN * min(1.0, trainer.step / arguments.margin_steps))

    stream = crop_stream(shards, arguments.windows * 148)
    trainer.run(stream, loss_of, DevSpeakers(arguments.device), evaluate_every_s=240.0)


if __name__ == "__main__":
    main()
