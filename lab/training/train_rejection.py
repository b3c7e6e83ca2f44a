"""Teaches a trained Paraformer to hear nothing where nothing is said, and changes nothing else.

    python -m lab.training.train_rejection paraformer \
        --initial .cache/embedded/timestamps/average.pt
    python -m lab.training.train_rejection paraformer_online \
        --initial .cache/embedded/streaming/average.pt

On speech the model is held to what it answered before (knowledge distillation: Hinton et al.,
"Distilling the knowledge in a neural network", 2015): to its distributions over tokens, its CIF
weights and its encoding, so that speech needs no labels and errors stay where they were. On clips
without speech, those of `mine_nonspeech`, it shall give the end token alone. A training on both
with the usual losses unlearns speech, for it sees less of it than the one that made the weights.
"""

from __future__ import annotations

import argparse
import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from .cif import integrate, length_mask
from .dataset import BATCH_LFR_FRAMES, BatchStream, Item, Shards
from .devset import load_dev_set
from .dropout import use_byte_dropout
from .fused_attention import use_fused_attention
from .models import build_model, paraformer_config, streaming_config
from .paraformer_batches import EOS, Batch, Characters, make_batch
from .paraformer_parts import (
    Transcriber,
    cif_weights,
    make_evaluation,
    prepare_directory,
)
from .run_options import Evaluation, add_run_options, train
from .streaming_windows import own_frames
from .train_paraformer import masked_hidden
from .train_paraformer import transcribe as transcribe_offline
from .train_streaming import (
    StreamingBatch,
    decoder_memory,
    encode_windows,
    make_streaming_batch,
)
from .train_streaming import transcribe as transcribe_streaming

JOIN_SHARE = 0.4
CLIP_FRAMES_SHARE = 0.4
"""Frames of clips in a step for each frame of speech."""
FREE_SUM = 0.3
WEIGHTS = {"kl": 2.0, "cif": 2.0, "sum": 2.0, "hidden": 1.0, "end": 0.25, "over": 0.25}


class Answer(NamedTuple):
    """What a model makes of a batch, as its runtime computes it.

    hidden: encoder output [batch, frames, width]; alphas: CIF weights [batch, frames].
    counts: [batch], tokens that are decoded, at least one; logits: [batch, tokens, vocabulary].
    """

    hidden: torch.Tensor
    alphas: torch.Tensor
    counts: torch.Tensor
    logits: torch.Tensor


def _fired(model: Any, alphas: torch.Tensor, counts: torch.Tensor | None) -> torch.Tensor:
    """Given counts, or the tokens that the weights [batch, frames] and the tail fire."""
    if counts is not None:
        return counts
    return (alphas.detach().sum(-1) + model.predictor.tail_threshold).floor().long().clamp(min=1)


def _with_tail(
    model: Any, alphas: torch.Tensor, hidden: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Weights and frames with the runtime's last one, of the tail's weight and zeros."""
    tail = model.predictor.tail_threshold
    padded = torch.cat([hidden, torch.zeros_like(hidden[:, :1])], dim=1)
    return nn.functional.pad(alphas, (0, 1), value=tail), padded


def answer_offline(model: Any, batch: Batch, counts: torch.Tensor | None = None) -> Answer:
    """Answer of the offline Paraformer; counts [batch] replaces what its weights fire."""
    lengths = torch.from_numpy(batch.lengths)
    hidden, mask = masked_hidden(model, batch.features, lengths)
    alphas = cif_weights(model.predictor, hidden, mask)
    counts = _fired(model, alphas, counts)
    acoustic = integrate(*_with_tail(model, alphas, hidden), int(counts.max()))
    logits = model.decoder(hidden, lengths, acoustic, counts.cpu())[0].float()
    return Answer(hidden, alphas, counts, logits)


def answer_streaming(
    model: Any, made: StreamingBatch, counts: torch.Tensor | None = None
) -> Answer:
    """Answer of the streaming Paraformer over its windows; counts as in `answer_offline`."""
    windows, window_alphas = encode_windows(
        model, made.batch.features, made.plan, made.first_position
    )
    hidden, alphas = own_frames(windows, made.plan), own_frames(window_alphas, made.plan)
    counts = _fired(model, alphas, counts)
    tokens = int(counts.max())
    padded, frames = _with_tail(model, alphas, hidden)
    acoustic = integrate(padded, frames, tokens)
    memory, mask = decoder_memory(made.plan, windows, padded, tokens)
    lengths = torch.full((len(memory),), memory.size(1))
    logits = model.decoder(memory, lengths, acoustic, counts.cpu(), mask)[0].float()
    return Answer(hidden, alphas, counts, logits)


def holding_loss(before: Answer, now: Answer) -> dict[str, torch.Tensor]:
    """How far answers to speech have gone from those before.

    kl: of the distributions, a token; cif, sum: distance of the running sums of CIF weights, a
    frame, and of the sums, a recording; hidden: squared distance of encodings, of their size.
    """
    said = length_mask(before.counts, now.logits.size(1))
    kl = nn.functional.kl_div(
        now.logits.log_softmax(-1),
        before.logits.log_softmax(-1),
        reduction="none",
        log_target=True,
    ).sum(-1)
    drift = (now.alphas.cumsum(1) - before.alphas.cumsum(1)).abs()
    distance = (now.hidden - before.hidden).square().sum() / before.hidden.square().sum()
    return {
        "kl": kl[said].mean(),
        "cif": drift.mean(),
        "sum": drift[:, -1].mean(),
        "hidden": distance,
    }


def rejection_loss(now: Answer, due: float) -> dict[str, torch.Tensor]:
    """How far answers to clips without speech are from the end token alone.

    end: cross entropy, a token; over: distance of the sum of CIF weights from `due`, of which
    FREE_SUM is free: what fires no further token needs no training.
    """
    said = length_mask(now.counts, now.logits.size(1))
    end = torch.full(said.shape, EOS, device=said.device)
    end_loss = nn.functional.cross_entropy(now.logits.transpose(1, 2), end, reduction="none")
    over = (now.alphas.sum(-1) - due).abs() - FREE_SUM
    return {"end": end_loss[said].mean(), "over": over.clamp(min=0).mean()}


class Pair(NamedTuple):
    """Batches of a step: with speech and without."""

    speech: Any
    clips: Any


Maker = Callable[[list[Item], Characters, np.random.Generator], Any]


@dataclass(frozen=True)
class Kind:
    """What differs between the two Paraformers.

    clip_sum: due of the CIF weights where nothing is said; FunASR's offline graph fails when
        no token fires, and gets the end token's; the streaming one fires none.
    """

    config: Callable[[], dict[str, Any]]
    make: Maker
    answer: Callable[..., Answer]
    transcribe: Transcriber
    clip_sum: float


KINDS = {
    "paraformer": Kind(
        paraformer_config,
        lambda items, characters, _rng: make_batch(items, characters),
        answer_offline,
        transcribe_offline,
        1.0,
    ),
    "paraformer_online": Kind(
        streaming_config, make_streaming_batch, answer_streaming, transcribe_streaming, 0.0
    ),
}


def rejecting_loss(
    model: Any, pair: Pair, before: Any, kind: Kind
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """What is minimised of a step, and its parts; `before` is the model as it was."""
    with torch.no_grad():
        due = kind.answer(before, pair.speech)
    held = holding_loss(due, kind.answer(model, pair.speech, due.counts))
    silent = rejection_loss(kind.answer(model, pair.clips), kind.clip_sum)
    parts = held | silent
    total = torch.stack([WEIGHTS[name] * loss for name, loss in parts.items()]).sum()
    return total, parts


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("model", choices=KINDS)
    add_run_options(parser, minutes=40.0, batch_frames=BATCH_LFR_FRAMES)
    parser.add_argument("--clips", type=Path, default=Path(".cache/embedded/clips"))
    parser.add_argument("--initial", type=Path, required=True, help="the weights to be held to")
    parser.add_argument("--directory", type=Path, help="default .cache/embedded/MODEL_rejecting")
    parser.add_argument("--rate", type=float, default=5e-4)
    arguments = parser.parse_args()
    kind = KINDS[arguments.model]
    arguments.directory = arguments.directory or Path(
        f".cache/embedded/{arguments.model}_rejecting"
    )
    torch.set_num_threads(1)
    torch.manual_seed(5)
    speech, clips = (Shards(path, ("zh",)) for path in (arguments.shards, arguments.clips))
    print(f"{speech.refresh()} recordings, {clips.refresh()} clips", flush=True)
    tokens, mean, scale = prepare_directory(arguments.directory, speech, arguments.initial)
    characters = Characters({token: index for index, token in enumerate(tokens)})
    model: Any = build_model(kind.config(), len(tokens))
    weights = torch.load(arguments.initial, weights_only=True)
    model.load_state_dict({k: v for k, v in weights.items() if k in model.state_dict()})
    model.specaug = None  # both are to hear the same
    use_byte_dropout(model, 0.0)
    use_fused_attention(model)
    before = copy.deepcopy(model).eval().requires_grad_(False).to(arguments.device)

    def make(seed: int) -> Iterator[Pair]:
        rng, frames = np.random.default_rng(seed + 6), arguments.batch_frames
        said = BatchStream(speech, mean, scale, seed, {"zh": 1.0}, JOIN_SHARE, frames)
        few = int(frames * CLIP_FRAMES_SHARE)
        unsaid = BatchStream(clips, mean, scale, seed + 7, {"zh": 1.0}, 0.0, few)
        for items, silent in zip(said, unsaid, strict=False):
            yield Pair(kind.make(items, characters, rng), kind.make(silent, characters, rng))

    def loss_of(model: Any, pair: Pair) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return rejecting_loss(model, pair, before, kind)

    def evaluation() -> Evaluation:
        dev = load_dev_set(arguments.directory.parent / "dev", "zh")
        return make_evaluation(dev, mean, scale, tokens, kind.transcribe)

    train(model, arguments, 100, make, loss_of, evaluation)


if __name__ == "__main__":
    main()
