"""Batches from the shards: random joins of utterances, LFR, CMVN, lengths balanced."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from asr_core.features import stack_frames

from .vocal_tract import MEL_BINS, warp_formants

JOIN_SHARE = 0.45
JOINED_FRAMES = (1000, 3600)
BATCH_LFR_FRAMES = 1600
POOL_ITEMS = 600
"""Of which batches of BATCH_LFR_FRAMES are made; of more for larger batches."""
SILENT_GAP_SHARE = 0.3
SILENT_LOG_ENERGY = -15.9424
"""Digital zero as the filter banks give it: the logarithm of float32's epsilon."""
WARP_RANGE = (0.84, 1.32)
"""Formant factors; children's and very deep voices are rare among the synthesisers'."""
NUMBER_HEAVY_KEPT = 0.3
"""Utterances that are mostly digits are drawn less: ten tokens would dominate hundreds."""

Features = npt.NDArray[np.float32]


@dataclass(frozen=True)
class ShardUtterance:
    """One recording of a shard; `record` is its JSON line."""

    shard: npt.NDArray[np.float16]
    record: dict[str, Any]

    @property
    def frames(self) -> int:
        return int(self.record["frames"])

    @property
    def is_number_heavy(self) -> bool:
        """Whether more than half of the written form is digits."""
        written = self.record["written"]
        digits = sum(character.isdigit() for character in written)
        return bool(2 * digits > len(written))

    def fbank(self) -> Features:
        first = self.record["first_frame"]
        return self.shard[first : first + self.frames].astype(np.float32)


@dataclass(frozen=True)
class Item:
    """Features [frames, 560] (float32, normalised) and the records joined in them.

    offsets_ms: start of each joined record within the item.
    """

    features: Features
    records: list[dict[str, Any]]
    offsets_ms: list[int]


class Shards:
    """The shards present in a directory; `refresh` picks up those finished since."""

    def __init__(self, directory: Path, languages: tuple[str, ...]) -> None:
        self._directory, self._languages = directory, languages
        self._seen: set[Path] = set()
        self.by_language: dict[str, list[ShardUtterance]] = {language: [] for language in languages}

    def refresh(self) -> int:
        """Loads new shards; returns the number of utterances known."""
        for path in sorted(self._directory.glob("*_*.jsonl")):
            language = path.stem.split("_")[0]
            if path in self._seen or language not in self._languages:
                continue
            self._seen.add(path)
            features = np.load(path.with_suffix(".npy"), mmap_mode="r")
            with path.open(encoding="utf-8") as lines:
                for line in lines:
                    record = json.loads(line)
                    if record["frames"] >= 12:
                        self.by_language[language].append(ShardUtterance(features, record))
        return sum(len(utterances) for utterances in self.by_language.values())


class BatchStream:
    """Endless batches of items, similar lengths together, the longest target last."""

    def __init__(
        self,
        shards: Shards,
        mean: Features,
        scale: Features,
        seed: int,
        weights: dict[str, float],
        join_share: float = JOIN_SHARE,
        batch_frames: int = BATCH_LFR_FRAMES,
    ) -> None:
        """mean, scale: [560] such that (features - mean) * scale is normalised.

        batch_frames: most 60 ms frames of a batch, padding included.
        """
        self._shards, self._mean, self._scale = shards, mean, scale
        self._rng = np.random.default_rng(seed)
        self._weights, self._join_share = weights, join_share
        self._batch_frames = batch_frames

    def __iter__(self) -> Iterator[list[Item]]:
        while True:
            self._shards.refresh()
            size = POOL_ITEMS * max(1, self._batch_frames // BATCH_LFR_FRAMES)
            pool = [self._draw() for _ in range(size)]
            pool.sort(key=lambda drawn: sum(u.frames for u in drawn))
            batches: list[list[list[ShardUtterance]]] = [[]]
            for drawn in pool:
                longest = -(-sum(u.frames for u in drawn) // 6)
                if batches[-1] and longest * (len(batches[-1]) + 1) > self._batch_frames:
                    batches.append([])
                batches[-1].append(drawn)
            for index in self._rng.permutation(len(batches)):
                items = [self._item(drawn) for drawn in batches[index]]
                yield sorted(items, key=lambda i: sum(len(r["spoken"]) for r in i.records))

    def _draw(self) -> list[ShardUtterance]:
        rng = self._rng
        present = [name for name, us in self._shards.by_language.items() if us]
        weights = np.array([self._weights[name] for name in present])
        language = present[rng.choice(len(present), p=weights / weights.sum())]
        drawn = [self._pick(language)]
        if rng.random() < self._join_share:
            limit = int(rng.integers(*JOINED_FRAMES))
            while True:
                following = self._pick(language)
                if sum(u.frames for u in drawn) + following.frames > limit:
                    break
                drawn.append(following)
        return drawn

    def _pick(self, language: str) -> ShardUtterance:
        utterances = self._shards.by_language[language]
        while True:
            utterance = utterances[self._rng.integers(len(utterances))]
            if not utterance.is_number_heavy or self._rng.random() < NUMBER_HEAVY_KEPT:
                return utterance

    def _item(self, drawn: list[ShardUtterance]) -> Item:
        rng = self._rng
        parts: list[Features] = []
        offsets: list[int] = []
        frames = 0
        for utterance in drawn:
            fbank = utterance.fbank()
            if rng.random() < 0.3:
                fbank = fbank + np.float32(rng.uniform(-0.4, 0.4))
            if rng.random() < 0.5:
                fbank = warp_formants(fbank, rng.uniform(*WARP_RANGE))
            if parts and rng.random() < SILENT_GAP_SHARE:
                gap = np.full((int(rng.integers(5, 60)), MEL_BINS), SILENT_LOG_ENERGY, np.float32)
                parts.append(gap)
                frames += len(gap)
            offsets.append(frames * 10)
            parts.append(fbank)
            frames += len(fbank)
        fbank = np.concatenate(parts)
        skipped = int(rng.integers(0, 6))
        offsets = [offset - 10 * skipped for offset in offsets]
        features = (stack_frames(fbank[skipped:]) - self._mean) * self._scale
        return Item(features, [u.record for u in drawn], offsets)


def pad_features(items: list[Item]) -> tuple[Features, npt.NDArray[np.int64]]:
    """Stacks items into [batch, frames, 560] with zeros after each; returns lengths too."""
    lengths = np.array([len(item.features) for item in items], np.int64)
    batch = np.zeros((len(items), lengths.max(), items[0].features.shape[1]), np.float32)
    for row, item in zip(batch, items, strict=True):
        row[: len(item.features)] = item.features
    return batch, lengths


def pad_targets(
    targets: list[list[int]], padding: int = -1
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Stacks token lists into [batch, tokens] padded with `padding`; returns lengths too."""
    lengths = np.array([len(target) for target in targets], np.int64)
    batch = np.full((len(targets), max(1, lengths.max())), padding, np.int64)
    for row, target in zip(batch, targets, strict=True):
        row[: len(target)] = target
    return batch, lengths
