"""Trains a small FSMN-VAD, FunASR's own class, on labelled synthetic recordings.

    python -m lab.training.train_vad --minutes 12

FunASR has no loss for it; here each frame's probability of silence is compared with what the
synthesiser knew (`vad_recordings.py`). The network sees nothing after a frame but the two that are
stacked with it, so labels come `LABEL_DELAY_FRAMES` later: that long it may listen before it says
that a sound is speech. Segments end so much later and begin so much later.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from asr_core.features import KaldiNativeFbank, stack_frames
from lab.random_models.fsmn_vad import LFR_WINDOW, FsmnSize, model_config

from .cmvn import read_cmvn, write_cmvn
from .models import build_model
from .synthesiser import Synthesiser
from .training_loop import Schedule, Trainer
from .vad_frames import LABEL_DELAY_FRAMES, SPEECH_THRESHOLD
from .vad_recordings import Labels, RecordingMaker
from .vocal_tract import warp_formants

SIZE = FsmnSize(affine=64, linear=128, proj=64, lorder=20, classes=2)
"""Class 0 is silence, class 1 speech; of the published model's 248 the first is silence, too."""

CROP_FRAMES, BATCH_CROPS = 600, 16
WARP_RANGE = (0.85, 1.25)
LEVEL_RANGE = (-6.0, 2.0)
"""Added to log-mel energies: from 26 dB softer to 9 dB louder."""
DEV_RECORDINGS = 24

Features = npt.NDArray[np.float32]


def vad_config() -> dict[str, Any]:
    """FunASR configuration of the embedded VAD: the published one's, with smaller layers."""
    return model_config(SIZE)


def stack_neighbours(fbank: Features) -> Features:
    """Each frame with the two before and after it: [frames, 400] of [frames, 80]."""
    return stack_frames(fbank, LFR_WINDOW, shift=1)


def delay(speech: Labels) -> Labels:
    """Labels as the network shall give them: `LABEL_DELAY_FRAMES` late."""
    return np.concatenate([np.zeros(LABEL_DELAY_FRAMES, np.bool_), speech])[: len(speech)]


class VadShards:
    """The shards present in a directory; `refresh` picks up those finished since."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._seen: set[Path] = set()
        self.recordings: list[tuple[npt.NDArray[np.float16], Labels]] = []

    def refresh(self) -> None:
        """Loads new shards."""
        for path in sorted(self._directory.glob("vad_*.lengths.npy")):
            if path in self._seen:
                continue
            self._seen.add(path)
            stem = path.with_name(path.name.removesuffix(".lengths.npy"))
            fbank = np.load(stem.with_suffix(".npy"), mmap_mode="r")
            speech = np.load(stem.with_suffix(".speech.npy"))
            ends = np.cumsum(np.load(path))[:-1]
            pairs = zip(np.split(fbank, ends), np.split(speech, ends), strict=True)
            self.recordings += [pair for pair in pairs if len(pair[1])]


class CropStream:
    """Endless batches of crops: normalised features, labels, and which frames count."""

    def __init__(self, shards: VadShards, mean: Features, scale: Features, seed: int) -> None:
        """mean, scale: [400] such that (features - mean) * scale is normalised."""
        self._shards, self._mean, self._scale = shards, mean, scale
        self._rng = np.random.default_rng(seed)

    def __iter__(self) -> Iterator[tuple[Features, Labels, Labels]]:
        while True:
            self._shards.refresh()
            yield from (self._batch() for _ in range(200))

    def _batch(self) -> tuple[Features, Labels, Labels]:
        rng, known = self._rng, self._shards.recordings
        features = np.zeros((BATCH_CROPS, CROP_FRAMES, len(self._mean)), np.float32)
        speech = np.zeros((BATCH_CROPS, CROP_FRAMES), np.bool_)
        counts = np.zeros_like(speech)
        for row in range(BATCH_CROPS):
            fbank, labels = known[rng.integers(len(known))]
            first = int(rng.integers(0, max(1, len(labels) - CROP_FRAMES)))
            crop = np.asarray(fbank[first : first + CROP_FRAMES], np.float32)
            if rng.random() < 0.5:
                crop = warp_formants(crop, rng.uniform(*WARP_RANGE))
            if rng.random() < 0.5:
                crop = crop + np.float32(rng.uniform(*LEVEL_RANGE))
            size = len(crop)
            features[row, :size] = (stack_neighbours(crop) - self._mean) * self._scale
            speech[row, :size] = delay(labels)[first : first + size]
            counts[row, :size] = True
        return features, speech, counts


def estimate_cmvn(shards: VadShards, recordings: int = 400) -> tuple[Features, Features]:
    """Mean and 1/deviation, each [400] float32: 80 values of all frames, tiled five times."""
    frames = np.concatenate([np.asarray(f, np.float64) for f, _ in shards.recordings[:recordings]])
    frames = np.maximum(frames, -12.0)
    mean, deviation = frames.mean(0), frames.std(0)
    return (
        np.tile(mean, LFR_WINDOW).astype(np.float32),
        np.tile(1 / deviation, LFR_WINDOW).astype(np.float32),
    )


def frame_loss(
    model: Any, batch: tuple[Features, Labels, Labels]
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """Cross entropy of the frames that count; with the shares missed and falsely found."""
    features, speech, counts = (torch.from_numpy(array) for array in batch)
    logits = model.encoder(features)[counts]
    target = speech[counts].long()
    loss = torch.nn.functional.cross_entropy(logits, target)
    with torch.no_grad():
        found = logits.softmax(-1)[:, 1] > SPEECH_THRESHOLD
        miss = (~found & (target == 1)).sum() / (target == 1).sum().clamp(min=1)
        false = (found & (target == 0)).sum() / (target == 0).sum().clamp(min=1)
    return loss, {"loss": loss, "miss": miss, "false_alarm": false}


class DevRecordings:
    """Recordings of held-out voices and texts, watched during training; not the test's."""

    def __init__(self, mean: Features, scale: Features) -> None:
        maker = RecordingMaker("vad dev", held_out=True, synthesiser=Synthesiser())
        extract = KaldiNativeFbank()
        self._made: list[tuple[Features, Labels]] = []
        for index in range(DEV_RECORDINGS):
            made = maker.nonspeech() if index % 6 == 5 else maker.recording()
            fbank = extract(made.waveform)
            features = (stack_neighbours(fbank) - mean) * scale
            self._made.append((features, delay(made.speech[: len(fbank)])))

    def __call__(self, model: Any) -> dict[str, float]:
        """Shares of the frames of speech missed and of the others called speech."""
        missed = spoken = false = quiet = 0
        with torch.no_grad():
            for features, speech in self._made:
                logits = model.encoder(torch.from_numpy(features)[None])[0]
                found = logits.softmax(-1)[:, 1].numpy() > SPEECH_THRESHOLD
                missed += int((~found & speech).sum())
                false += int((found & ~speech).sum())
                spoken += int(speech.sum())
                quiet += int((~speech).sum())
        return {"dev_miss": missed / spoken, "dev_false_alarm": false / quiet}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/vad_shards"))
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/vad"))
    parser.add_argument("--minutes", type=float, default=12.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(5)
    shards = VadShards(arguments.shards)
    shards.refresh()
    arguments.directory.mkdir(parents=True, exist_ok=True)
    cmvn = arguments.directory / "am.mvn"
    if not cmvn.exists():
        write_cmvn(cmvn, *estimate_cmvn(shards))
    mean, scale = read_cmvn(cmvn)
    model: Any = build_model(vad_config(), SIZE.classes)
    schedule = Schedule(arguments.minutes, arguments.rate, warmup_steps=100)
    trainer = Trainer(model, arguments.directory, schedule)
    for each in (trainer.model, trainer.average):
        each.encoder.use_softmax = False  # the loss takes logits; the export has it again
    stream = CropStream(shards, mean, scale, trainer.step + 1)
    trainer.run(iter(stream), frame_loss, DevRecordings(mean, scale), evaluate_every_s=120.0)


if __name__ == "__main__":
    main()
