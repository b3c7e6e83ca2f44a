"""Trains ParaformerStreaming on the windows of FunASR's runtime, from the offline Paraformer.

    python -m lab.training.train_streaming --initial embedded_models/paraformer/model.pt

Every window of 20 frames is encoded by itself and every token is decoded from the window in which
it fires, as `funasr_onnx` does with chunk_size [5, 10, 5]. Unlike the offline model, this one
cannot know that a recording is over, so its CIF sum is due to be the number of characters and a
quarter at the end: with the runtime's tail of 0.45 that fires every character and nothing else.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import nn

from .cif import firing_frames, integrate
from .dataset import BatchStream, Item, Shards
from .deepen import silence_new_blocks
from .devset import load_dev_set
from .dropout import use_byte_dropout
from .fused_attention import use_fused_attention
from .loading import on_device
from .models import WIDTH, build_model, count_parameters, streaming_config
from .paraformer_batches import Batch, Characters, make_batch
from .paraformer_parts import (
    Losses,
    alignment_loss,
    cif_weights,
    frame_loss,
    glance,
    make_evaluation,
    prepare_directory,
    text_of,
)
from .run_options import Evaluation, add_run_options, train
from .streaming_windows import (
    LEADING_ZEROS,
    WINDOW,
    WindowPlan,
    cut_windows,
    own_frames,
    plan_windows,
)

FIRST_SUM = 0.25
"""CIF sum due at the first word's start: a token fires when three quarters of it have sounded."""
LATE_START_SHARE, LATE_START_FRAMES = 0.3, 3000
"""Share of batches, and by how much, that position encodings start late, as in a long stream."""
CACHED_END_SHARE = 0.3
JOIN_SHARE, BATCH_FRAMES = 0.25, 900
"""Little of either: windows know nothing of the rest, and are encoded twice over."""


class StreamingBatch(NamedTuple):
    """A batch, how it is cut, and the position at which its recordings begin in their stream."""

    batch: Batch
    plan: WindowPlan
    first_position: int


def make_streaming_batch(
    items: list[Item], characters: Characters, rng: np.random.Generator
) -> StreamingBatch:
    """Targets of items, at times late in a stream or ended by a piece too short for a frame."""
    batch = make_batch(items, characters, LEADING_ZEROS)
    late = int(rng.integers(LATE_START_FRAMES)) if rng.random() < LATE_START_SHARE else 0
    plan = plan_windows(batch.lengths.tolist(), bool(rng.random() < CACHED_END_SHARE))
    return StreamingBatch(batch, plan, late)


def encode_windows(
    model: Any, features: torch.Tensor, plan: WindowPlan, first_position: int = 0
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encoder output [windows, 20, width], zero past each window's length, and CIF weights.

    features: normalised, [batch, frames, 560].
    """
    device = features.device
    positions = torch.arange(1, features.size(1) + 1)[None] + first_position
    encoding = model.encoder.embed.encode(positions, features.size(2), features.dtype)
    hidden = cut_windows(features * WIDTH**0.5 + encoding.to(device), plan)
    mask = torch.arange(WINDOW, device=device)[None] < plan.lengths[:, None]
    keep = mask[:, None].float()
    for layer in (*model.encoder.encoders0, *model.encoder.encoders):
        hidden = layer(hidden, keep)[0]
    hidden = model.encoder.after_norm(hidden).float() * mask[:, :, None]
    return hidden, cif_weights(model.predictor, hidden, mask)


def decoder_memory(
    plan: WindowPlan, hidden: torch.Tensor, alphas: torch.Tensor, tokens: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the decoder attends to: frames [batch, memory, width] and mask [batch, tokens, memory].

    alphas: [batch, frames] of the owned frames and the tail; a token sees the whole window in
    which the sum reaches its number, the last window when it never does.
    """
    device = hidden.device
    counts = plan.first[1:] - plan.first[:-1]
    position = torch.arange(plan.most, device=device)[None]
    inside = position < counts[:, None]
    index = torch.where(inside, plan.first[:-1, None] + position, 0)
    memory = hidden[index].flatten(1, 2)
    fired = firing_frames(alphas, tokens).clamp(max=plan.own.size(1) - 1)
    window = plan.own.gather(1, fired) // WINDOW
    window = torch.where(window < 0, plan.first[1:, None] - 1, window)
    seen = (window[:, :, None] == index[:, None]) & inside[:, None]
    frames = torch.arange(WINDOW, device=device)[None] < plan.lengths[:, None]
    mask = seen[:, :, :, None] & frames[index][:, None]
    return memory, mask.flatten(2).float()


def streaming_loss(model: Any, made: StreamingBatch, frame_weights: torch.Tensor) -> Losses:
    """Cross entropy after the sampler, CIF sum, word-start and frame losses of a batch."""
    batch, plan = made.batch, made.plan
    on_host = torch.from_numpy(batch.ys_lengths)
    ys_lengths, tokens = on_host.to(batch.ys.device), batch.ys.size(1)
    features, _ = model.specaug(batch.features, torch.from_numpy(batch.lengths))
    window_hidden, window_alphas = encode_windows(model, features, plan, made.first_position)
    hidden, alphas = own_frames(window_hidden, plan), own_frames(window_alphas, plan)
    characters = (ys_lengths - 1).to(alphas.dtype)
    due = characters + FIRST_SUM * (characters > 0)
    total = alphas.sum(-1)
    frame = frame_loss(model.frame_head(hidden), batch, frame_weights)
    scaled = alphas * torch.where(characters > 0, due / total.clamp(min=1e-3), 1.0)[:, None]
    tail = (ys_lengths - scaled.sum(-1)).clamp(min=0)
    scaled = torch.cat([scaled, tail[:, None]], dim=1)
    hidden = torch.cat([hidden, torch.zeros_like(hidden[:, :1])], dim=1)
    acoustic = integrate(scaled, hidden, tokens)
    memory, mask = decoder_memory(plan, window_hidden, scaled, tokens)
    memory_lengths = torch.full((len(memory),), memory.size(1))
    mixed, first_pass = glance(model, memory, memory_lengths, batch, acoustic, mask)
    logits = model.decoder(memory, memory_lengths, mixed, on_host, mask)[0]
    return Losses(
        cross_entropy=model.criterion_att(logits, batch.ys),
        count=(total - due).abs().sum() / ys_lengths.sum(),
        alignment=alignment_loss(alphas, batch, FIRST_SUM),
        frame=frame,
        accuracy=(first_pass == batch.ys).sum() / ys_lengths.sum(),
        local=torch.zeros((), device=alphas.device),
    )


@torch.no_grad()
def transcribe(model: Any, features: torch.Tensor, tokens: list[str]) -> str:
    """Greedy text of one recording's normalised features [1, frames, 560], as when streamed."""
    plan = on_device(plan_windows([features.size(1)]), features.device)
    window_hidden, window_alphas = encode_windows(model, features, plan)
    hidden, alphas = own_frames(window_hidden, plan), own_frames(window_alphas, plan)
    alphas = nn.functional.pad(alphas, (0, 1), value=model.predictor.tail_threshold)
    count = int(alphas.sum().floor())
    if count < 1:
        return ""
    hidden = torch.cat([hidden, torch.zeros_like(hidden[:, :1])], dim=1)
    acoustic = integrate(alphas, hidden, count)
    memory, mask = decoder_memory(plan, window_hidden, alphas, count)
    lengths = torch.tensor([memory.size(1)])
    logits = model.decoder(memory, lengths, acoustic, torch.tensor([count]), mask)[0]
    return text_of(logits[0].argmax(-1).tolist(), tokens)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_run_options(parser, 30.0, BATCH_FRAMES)
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/streaming"))
    parser.add_argument("--initial", type=Path, required=True, help="the offline model's weights")
    parser.add_argument("--rate", type=float, default=1e-3)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(4)
    shards = Shards(arguments.shards, ("zh",))
    shards.refresh()
    tokens, mean, scale = prepare_directory(arguments.directory, shards, arguments.initial)
    characters = Characters({token: index for index, token in enumerate(tokens)})
    frame_weights = characters.weights(shards.by_language["zh"]).to(arguments.device)
    model = build_model(streaming_config(), len(tokens))
    model.frame_head = nn.Linear(WIDTH, len(tokens))
    if not (arguments.directory / "checkpoint.pt").exists():
        weights = torch.load(arguments.initial, weights_only=True)
        fitting = {k: v for k, v in weights.items() if k in model.state_dict()}
        model.load_state_dict(fitting, strict=False)
        new = silence_new_blocks(model, fitting)
        print(f"initialised {len(fitting)} tensors, new blocks: {new}", flush=True)
    print(f"{count_parameters(model)} parameters, {len(tokens)} tokens", flush=True)
    use_byte_dropout(model, 0.0)
    use_fused_attention(model)

    def make(seed: int) -> Iterator[StreamingBatch]:
        frames, rng = arguments.batch_frames, np.random.default_rng(seed + 5)
        stream = BatchStream(shards, mean, scale, seed, {"zh": 1.0}, JOIN_SHARE, frames)
        return (make_streaming_batch(items, characters, rng) for items in stream)

    def loss_of(
        model: nn.Module, made: StreamingBatch
    ) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        losses = streaming_loss(model, made, frame_weights)
        return losses.total(), losses.figures()

    def evaluation() -> Evaluation:
        dev = load_dev_set(arguments.directory.parent / "dev", "zh")
        return make_evaluation(dev, mean, scale, tokens, transcribe)

    train(model, arguments, 200, make, loss_of, evaluation)


if __name__ == "__main__":
    main()
