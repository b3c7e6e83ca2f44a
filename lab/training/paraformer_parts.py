"""What the offline and the streaming Paraformer share in training: targets, losses, progress."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from asr_contract import character_error_rate
from asr_core.features import stack_frames

from .cmvn import estimate_cmvn, read_cmvn, write_cmvn
from .corpus_zh import vocabulary
from .dataset import Features, Shards
from .devset import DevSet
from .frame_targets import IGNORED
from .paraformer_batches import EOS, Batch
from .workers import first_worker_first

Transcriber = Callable[[Any, torch.Tensor, list[str]], str]
"""Text of a model for features [1, frames, 560] with these tokens."""
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
    with torch.autocast(hidden.device.type, enabled=False):
        context = torch.relu(predictor.cif_conv1d(predictor.pad(hidden.transpose(1, 2))))
        alphas = torch.sigmoid(predictor.cif_output(context.transpose(1, 2)).squeeze(-1))
        return torch.relu(alphas * predictor.smooth_factor - predictor.noise_threshold) * mask


def alignment_loss(alphas: torch.Tensor, batch: Batch, first_sum: float = 0.5) -> torch.Tensor:
    """Distance per token between the CIF sum from word start to word start and its due value.

    The sum is due to grow by the word's characters from one start to the next, and to be
    `first_sum` at the first; with a half a token fires near its middle. Differences under 0.15
    tokens are free, since starts are rounded to frames.
    """
    valid = batch.starts >= 0
    sums = torch.cumsum(alphas, dim=1).gather(1, batch.starts.clamp(min=0))
    error = (sums - batch.begun - first_sum) * valid
    steps = torch.cat([error[:, :1], (error[:, 1:] - error[:, :-1]) * valid[:, 1:]], dim=1)
    characters = int((batch.ys_lengths - 1).sum())
    return (steps.abs() - 0.15).clamp(min=0).sum() / max(1, characters)


def frame_loss(logits: torch.Tensor, batch: Batch, weights: torch.Tensor) -> torch.Tensor:
    """Weighted cross entropy of the frame head's logits [batch, frames, tokens].

    The head names the character that sounds in each frame.
    """
    return nn.functional.cross_entropy(
        logits.float().transpose(1, 2), batch.frames, weights, ignore_index=IGNORED
    )


def glance(
    model: Any,
    memory: torch.Tensor,
    memory_lengths: torch.Tensor,
    batch: Batch,
    acoustic: torch.Tensor,
    *mask: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """The decoder's input with some true tokens in it [batch, tokens, width]; the first pass's ids.

    FunASR's `sampler` for all rows at once: of as many tokens as the first pass has wrong, times
    the sampling ratio, the embedding replaces what was heard (Gao et al., "Paraformer", 2022, 3.4).
    memory_lengths: with the host; mask: what each token sees of the memory, if not all.
    """
    lengths = torch.from_numpy(batch.ys_lengths)
    valid = batch.ys >= 0
    with torch.no_grad():
        first_pass = model.decoder(memory, memory_lengths, acoustic, lengths, *mask)[0].argmax(-1)
        wrong = ((first_pass != batch.ys) & valid).sum(1)
        given = (wrong.float() * model.sampling_ratio).long()
        order = torch.rand(valid.shape, device=valid.device).masked_fill(~valid, 2.0).argsort(1)
        is_given = (order.argsort(1) < given[:, None]) & valid
    known = model.decoder.embed(batch.ys.clamp(min=0))
    mixed = torch.where(is_given[:, :, None], known, acoustic) * valid[:, :, None]
    return mixed, first_pass


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
    local: torch.Tensor

    def total(self) -> torch.Tensor:
        """What is minimised."""
        return (
            self.cross_entropy
            + self.count
            + ALIGNMENT_WEIGHT * self.alignment
            + FRAME_WEIGHT * self.frame
            + LOCAL_WEIGHT * self.local
        )

    def figures(self) -> dict[str, torch.Tensor]:
        """The parts under the log's names."""
        return {
            "ce": self.cross_entropy,
            "count": self.count,
            "align": self.alignment,
            "frame": self.frame,
            "local": self.local,
            "accuracy": self.accuracy,
        }


def make_evaluation(
    dev: DevSet, mean: Features, scale: Features, tokens: list[str], transcriber: Transcriber
) -> Callable[[nn.Module], dict[str, float]]:
    """The small held-out check run during training."""

    def heard(model: nn.Module, fbank: Features) -> str:
        features = torch.from_numpy((stack_frames(fbank) - mean) * scale)[None]
        device = next(model.parameters()).device
        return transcriber(model, features.to(device), tokens)

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
    directory: Path, shards: Shards, initial: Path | None
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
