"""What the offline and the streaming Paraformer share in training: targets, losses, progress."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

from asr_contract import character_error_rate
from asr_core.features import stack_frames

from .cmvn import estimate_cmvn, read_cmvn, write_cmvn
from .corpus_zh import vocabulary
from .dataset import Features, Item, Shards, pad_targets
from .devset import DevSet
from .frame_targets import IGNORED, class_weights, frame_targets
from .workers import first_worker_first

Transcriber = Callable[[Any, torch.Tensor, list[str]], str]
"""Text of a model for features [1, frames, 560] with these tokens."""
EOS = 2
FRAME_MS = 60.0
ALIGNMENT_WEIGHT = 1.0
FRAME_WEIGHT = 0.5
LOCAL_WEIGHT = 0.5


def paraformer_tokens() -> list[str]:
    """FunASR's layout: blank, start, end, the characters, unknown last."""
    return ["<blank>", "<s>", "</s>", *vocabulary(), "<unk>"]


def text_of(ids: list[int], tokens: list[str]) -> str:
    """The characters of token ids, without <blank>, <s>, </s> and <unk>."""
    return "".join(tokens[i] for i in ids if i > EOS and i != len(tokens) - 1)


def cif_weights(predictor: Any, hidden: torch.Tensor, mask: torch.Tensor) -> torch.Tensor:
    """The predictor's weight of each frame [batch, frames], zero past each length.

    In float32 even under autocast: a sum over many frames must not lose a token.
    """
    with torch.autocast("cpu", enabled=False):
        context = torch.relu(predictor.cif_conv1d(predictor.pad(hidden.transpose(1, 2))))
        alphas = torch.sigmoid(predictor.cif_output(context.transpose(1, 2)).squeeze(-1))
        return torch.relu(alphas * predictor.smooth_factor - predictor.noise_threshold) * mask


def token_targets(
    items: list[Item], token_ids: dict[str, int]
) -> tuple[torch.Tensor, torch.Tensor]:
    """Token ids [batch, tokens] of the items' texts with the end token, and their numbers."""
    targets, lengths = pad_targets(
        [
            [token_ids[c] for r in item.records for c in r["spoken"] if c in token_ids] + [EOS]
            for item in items
        ]
    )
    return torch.from_numpy(targets), torch.from_numpy(lengths)


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


def alignment_loss(alphas: torch.Tensor, items: list[Item], first_sum: float = 0.5) -> torch.Tensor:
    """Distance per token between the CIF sum from word start to word start and its due value.

    The sum is due to grow by the word's characters from one start to the next, and to be
    `first_sum` at the first; with a half a token fires near its middle. Differences under 0.15
    tokens are free, since starts are rounded to frames.
    """
    frame_index, counts = word_starts(items, alphas.size(1))
    valid = frame_index >= 0
    sums = torch.cumsum(alphas, dim=1).gather(1, frame_index.clamp(min=0))
    error = (sums - counts - first_sum) * valid
    steps = torch.cat([error[:, :1], (error[:, 1:] - error[:, :-1]) * valid[:, 1:]], dim=1)
    characters = sum(len(r["spoken"]) for item in items for r in item.records)
    return (steps.abs() - 0.15).clamp(min=0).sum() / max(1, characters)


class CharacterFrames:
    """The loss of the frame head, which names the character that sounds in each frame."""

    def __init__(self, shards: Shards, token_ids: dict[str, int]) -> None:
        self._token_ids = token_ids
        known = shards.by_language["zh"]
        self._weights = torch.from_numpy(class_weights(known, len(token_ids), self._tokens_of))

    def _tokens_of(self, text: str, _language: str) -> list[int]:
        return [self._token_ids[character] for character in text]

    def loss(self, logits: torch.Tensor, items: list[Item]) -> torch.Tensor:
        """Weighted cross entropy of logits [batch, frames, tokens]."""
        targets = torch.from_numpy(frame_targets(items, logits.size(1), self._tokens_of))
        return nn.functional.cross_entropy(
            logits.float().transpose(1, 2), targets, self._weights, ignore_index=IGNORED
        )


@dataclass(frozen=True)
class Losses:
    """The parts of a batch's loss, scalars; `accuracy` is the first pass's, for the log.

    local: of the offline model, whose decoder sees the whole recording; else zero.
    """

    cross_entropy: torch.Tensor
    count: torch.Tensor
    alignment: torch.Tensor
    frame: torch.Tensor
    accuracy: torch.Tensor
    local: torch.Tensor = field(default_factory=lambda: torch.zeros(()))

    def total(self) -> torch.Tensor:
        """What is minimised."""
        return (
            self.cross_entropy
            + self.count
            + ALIGNMENT_WEIGHT * self.alignment
            + FRAME_WEIGHT * self.frame
            + LOCAL_WEIGHT * self.local
        )

    def figures(self) -> dict[str, float]:
        """The parts under the log's names."""
        return {
            "ce": self.cross_entropy.item(),
            "count": self.count.item(),
            "align": self.alignment.item(),
            "frame": self.frame.item(),
            "local": self.local.item(),
            "accuracy": self.accuracy.item(),
        }


def make_evaluation(
    dev: DevSet, mean: Features, scale: Features, tokens: list[str], transcriber: Transcriber
) -> Callable[[nn.Module], dict[str, float]]:
    """The small held-out check run during training."""

    def heard(model: nn.Module, fbank: Features) -> str:
        features = (stack_frames(fbank) - mean) * scale
        return transcriber(model, torch.from_numpy(features)[None], tokens)

    def evaluate(model: nn.Module) -> dict[str, float]:
        noisy = [heard(model, fbank) for fbank in dev.noisy]
        joined = [heard(model, fbank) for fbank in dev.joined]
        empty = sum(heard(model, fbank) == "" for fbank in dev.nonspeech)
        return {
            "cer": character_error_rate(dev.texts, noisy),
            "cer_joined": character_error_rate(dev.joined_texts, joined),
            "nonspeech_empty": empty / len(dev.nonspeech),
        }

    return evaluate


def prepare_directory(
    directory: Path, shards: Shards, initial: Path | None = None
) -> tuple[list[str], Any, Any]:
    """Tokens, mean and scale of this training; written at the first start, read later.

    initial: weights to continue from; the tokens and the mean beside them stay theirs.
    """
    directory.mkdir(parents=True, exist_ok=True)
    tokens_path, cmvn_path = directory / "tokens.json", directory / "am.mvn"
    with first_worker_first():
        if initial and not tokens_path.exists():
            for path in (tokens_path, cmvn_path):
                shutil.copyfile(initial.parent / path.name, path)
        if not tokens_path.exists():
            tokens_path.write_text(json.dumps(paraformer_tokens(), ensure_ascii=False, indent=0))
            write_cmvn(cmvn_path, *estimate_cmvn(shards))
    tokens: list[str] = json.loads(tokens_path.read_text())
    return tokens, *read_cmvn(cmvn_path)
