"""What SenseVoice's training takes: recordings, their tags, texts and each frame's classes."""

from __future__ import annotations

from itertools import pairwise
from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from .dataset import Item, pad_features, pad_targets
from .frame_targets import IGNORED, frame_targets
from .tokens import LANGUAGE_EMBEDDING, SenseVoiceTokenizer

PREFIX_ROWS = 4
WITHITN_SHARE = 0.3
TOLD_SHARE = 0.24
"""Of items that are told the language; FunASR's 80 % teach too little of it."""
SPOKEN_TAGS = tuple(LANGUAGE_EMBEDDING)
"""The classes of the language that every frame is asked for."""


def item_target(item: Item, tokenizer: SenseVoiceTokenizer, itn: bool) -> list[int]:
    """Language, emotion, event and ITN tags, then the text of the joined records."""
    spoken = [record for record in item.records if record["spoken"]]
    style = tokenizer.tag("withitn" if itn else "woitn")
    if not spoken:
        names = ("nospeech", "EMO_UNKNOWN", "Event_UNK")
        return [*(tokenizer.tag(name) for name in names), style]
    language = spoken[0]["language"]
    target = [tokenizer.tag(name) for name in (language, "NEUTRAL", "Speech")] + [style]
    for record in spoken:
        target += tokenizer.encode(record["written" if itn else "spoken"], language)
    return target


def keep_alignable(items: list[Item], targets: list[list[int]]) -> list[int]:
    """Indices of items whose frames suffice for CTC (one per token, one more per repeat)."""
    kept = []
    for index, (item, target) in enumerate(zip(items, targets, strict=True)):
        text = target[PREFIX_ROWS:]
        repeats = sum(a == b for a, b in pairwise(text))
        if len(text) + repeats <= len(item.features):
            kept.append(index)
    return kept


def language_targets(items: list[Item], frames: int) -> torch.Tensor:
    """Class of the language in each frame [batch, frames], IGNORED past an item's end.

    One tag an utterance teaches the language of few voices; asked for in every frame before the
    last block, its evidence is gathered where the tag's row finds it.
    """
    targets = torch.full((len(items), frames), IGNORED)
    for row, item in zip(targets, items, strict=True):
        spoken = [r["language"] for r in item.records if r["spoken"]]
        row[: len(item.features)] = SPOKEN_TAGS.index(spoken[0] if spoken else "nospeech")
    return targets


class Batch(NamedTuple):
    """Recordings as the loss takes them.

    features: [batch, frames, 560]; lengths: [batch], stays with the host.
    query: [batch, 4], the rows of the embedding before the recording: language, event and emotion,
        text norm. tags: [batch, 4], what the model shall say of them.
    text: [batch, tokens] padded with -1; text_lengths: [batch], stays with the host.
    frames, languages: [batch, frames], the classes of each frame.
    """

    features: torch.Tensor
    lengths: NDArray[np.int64]
    query: torch.Tensor
    tags: torch.Tensor
    text: torch.Tensor
    text_lengths: NDArray[np.int64]
    frames: torch.Tensor
    languages: torch.Tensor


def make_batch(
    items: list[Item], tokenizer: SenseVoiceTokenizer, rng: np.random.Generator
) -> Batch:
    """Targets and queries of items; a language is told to TOLD_SHARE of them."""
    targets = [item_target(item, tokenizer, rng.random() < WITHITN_SHARE) for item in items]
    kept = keep_alignable(items, targets)
    items, targets = [items[i] for i in kept], [targets[i] for i in kept]
    features, lengths = pad_features(items)
    text, text_lengths = pad_targets([target[PREFIX_ROWS:] for target in targets])
    tags = np.array([target[:PREFIX_ROWS] for target in targets])
    languages, norms = tokenizer.language_embeddings(), tokenizer.textnorm_embeddings()
    query = np.array(
        [
            [languages[language] if rng.random() < TOLD_SHARE else 0, 1, 2, norms[norm]]
            for language, *_, norm in tags.tolist()
        ]
    )
    frames = frame_targets(items, features.shape[1], tokenizer.encode)
    return Batch(
        torch.from_numpy(features),
        lengths,
        torch.from_numpy(query),
        torch.from_numpy(tags),
        torch.from_numpy(text),
        text_lengths,
        torch.from_numpy(frames),
        language_targets(items, features.shape[1]),
    )
