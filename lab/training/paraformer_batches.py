"""What a Paraformer's training takes: recordings, texts, word starts, the frames' characters."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .dataset import Item, ShardUtterance, pad_features, pad_targets
from .frame_targets import class_weights, frame_targets

EOS = 2
FRAME_MS = 60.0


class Batch(NamedTuple):
    """Recordings as the losses take them.

    features: [batch, frames, 560]; lengths: [batch], stays with the host.
    ys: token ids [batch, tokens] of the texts with the end token, padded with -1; ys_lengths:
        [batch], stays with the host.
    starts, begun: [batch, words], the frame of each word start, -1 behind the last, and the
        characters begun before it.
    frames: [batch, frames], the character that sounds in each of the frames that are owned.
    """

    features: torch.Tensor
    lengths: NDArray[np.int64]
    ys: torch.Tensor
    ys_lengths: NDArray[np.int64]
    starts: torch.Tensor
    begun: torch.Tensor
    frames: torch.Tensor


class Characters:
    """The ids of characters, and how much each weighs in the frame loss."""

    def __init__(self, token_ids: dict[str, int]) -> None:
        self._token_ids = token_ids

    def of_word(self, text: str, _language: str = "") -> list[int]:
        """Ids of a word's characters."""
        return [self._token_ids[character] for character in text]

    def of_item(self, item: Item) -> list[int]:
        """Ids of what is said in an item, as far as they have one, and the end token."""
        said = (character for record in item.records for character in record["spoken"])
        return [self._token_ids[c] for c in said if c in self._token_ids] + [EOS]

    def weights(self, utterances: list[ShardUtterance]) -> torch.Tensor:
        """Weight of each token in the frame loss."""
        return torch.from_numpy(class_weights(utterances, len(self._token_ids), self.of_word))


def word_starts(items: list[Item], frames: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Frame index [batch, words] of each word start and the characters begun before it.

    Rows are padded with frame -1.
    """
    rows: list[list[tuple[int, int]]] = []
    for item in items:
        row, characters = [], 0
        for record, offset_ms in zip(item.records, item.offsets_ms, strict=True):
            for text, start_ms in record["words"]:
                frame = int((offset_ms + start_ms) / FRAME_MS)
                if 0 <= frame < frames:
                    row.append((frame, characters))
                characters += len(text)
        rows.append(row)
    size = max(1, max(len(row) for row in rows))
    frame_index = torch.full((len(rows), size), -1)
    counts = torch.zeros(len(rows), size)
    for index, row in enumerate(rows):
        if row:
            frame_index[index, : len(row)] = torch.tensor([frame for frame, _ in row])
            counts[index, : len(row)] = torch.tensor([float(count) for _, count in row])
    return frame_index, counts


def shifted(items: list[Item], frames: int) -> list[Item]:
    """The items with so many frames of zeros before the first."""
    zeros = np.zeros((frames, items[0].features.shape[1]), np.float32)
    return [
        Item(
            np.concatenate([zeros, item.features]),
            item.records,
            [offset + int(frames * FRAME_MS) for offset in item.offsets_ms],
        )
        for item in items
    ]


def make_batch(items: list[Item], characters: Characters, leading_zeros: int = 0) -> Batch:
    """Targets of items.

    leading_zeros: frames that an encoder sees before the recording; word starts and frames'
        characters count them, `features` has none.
    """
    features, lengths = pad_features(items)
    ys, ys_lengths = pad_targets([characters.of_item(item) for item in items])
    owned = shifted(items, leading_zeros) if leading_zeros else items
    frames = features.shape[1] + leading_zeros
    starts, begun = word_starts(owned, frames)
    targets = frame_targets(owned, frames, characters.of_word)
    return Batch(
        torch.from_numpy(features),
        lengths,
        torch.from_numpy(ys),
        ys_lengths,
        starts,
        begun,
        torch.from_numpy(targets),
    )
