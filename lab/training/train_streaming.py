"""Trains ParaformerStreaming on the windows of FunASR's runtime, from the offline Paraformer.

    python -m lab.training.train_streaming --initial embedded_models/paraformer/model.pt

Every window of 20 frames is encoded by itself and every token is decoded from the window in which
it fires, as `funasr_onnx` does with chunk_size [5, 10, 5]. Unlike the offline model, this one
cannot know that a recording is over, so its CIF sum is due to be the number of characters and a
quarter at the end: with the runtime's tail of 0.45 that fires every character and nothing else.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from .cif import firing_frames, integrate
from .dataset import BatchStream, Item, Shards, pad_features
from .deepen import silence_new_blocks
from .devset import load_dev_set
from .dropout import use_byte_dropout
from .fused_attention import use_fused_attention
from .models import WIDTH, build_model, count_parameters, streaming_config
from .paraformer_parts import (
    CharacterFrames,
    Losses,
    alignment_loss,
    cif_weights,
    make_evaluation,
    prepare_directory,
    text_of,
    token_targets,
)
from .streaming_windows import LEADING_ZEROS, WINDOW, Windows, cut_windows
from .training_loop import Schedule, Trainer

FIRST_SUM = 0.25
"""CIF sum due at the first word's start: a token fires when three quarters of it have sounded."""
LATE_START_SHARE, LATE_START_FRAMES = 0.3, 3000
"""Share of batches, and by how much, that position encodings start late, as in a long stream."""
CACHED_END_SHARE = 0.3
JOIN_SHARE, BATCH_FRAMES = 0.25, 900
"""Little of either: windows know nothing of the rest, and are encoded twice over."""


def window_features(
    model: Any,
    features: torch.Tensor,
    lengths: torch.Tensor,
    first_position: int = 0,
    ends_with_cache: bool = False,
) -> Windows:
    """Windows of normalised features [batch, frames, 560], scaled and with position encodings."""
    positions = torch.arange(1, features.size(1) + 1)[None] + first_position
    encoding = model.encoder.embed.encode(positions, features.size(2), features.dtype)
    return cut_windows(features * WIDTH**0.5 + encoding, lengths, ends_with_cache)


def encode_windows(model: Any, windows: Windows) -> tuple[torch.Tensor, torch.Tensor]:
    """Encoder output [windows, 20, width], zero past each window's length, and CIF weights."""
    mask = torch.arange(WINDOW)[None] < windows.lengths[:, None]
    hidden, keep = windows.features, mask[:, None].float()
    for layer in (*model.encoder.encoders0, *model.encoder.encoders):
        hidden = layer(hidden, keep)[0]
    hidden = model.encoder.after_norm(hidden).float() * mask[:, :, None]
    return hidden, cif_weights(model.predictor, hidden, mask)


def decoder_memory(
    windows: Windows, hidden: torch.Tensor, alphas: torch.Tensor, tokens: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the decoder attends to: frames [batch, memory, width] and mask [batch, tokens, memory].

    alphas: [batch, frames] of the owned frames and the tail; a token sees the whole window in
    which the sum reaches its number, the last window when it never does.
    """
    counts = windows.first[1:] - windows.first[:-1]
    most = int(counts.max())
    index = windows.first[:-1, None] + torch.arange(most)[None]
    inside = torch.arange(most)[None] < counts[:, None]
    index = torch.where(inside, index, 0)
    memory = hidden[index].flatten(1, 2)
    fired = firing_frames(alphas, tokens).clamp(max=windows.own.size(1) - 1)
    window = windows.own.gather(1, fired) // WINDOW
    window = torch.where(window < 0, windows.first[1:, None] - 1, window)
    seen = (window[:, :, None] == index[:, None]) & inside[:, None]
    frames = torch.arange(WINDOW)[None] < windows.lengths[:, None]
    mask = seen[:, :, :, None] & frames[index][:, None]
    return memory, mask.flatten(2).float()


def shifted(items: list[Item]) -> list[Item]:
    """The items as the windows own them: the leading zeros come before the first frame."""
    delay_ms = 60 * LEADING_ZEROS
    zeros = np.zeros((LEADING_ZEROS, items[0].features.shape[1]), np.float32)
    return [
        Item(
            np.concatenate([zeros, item.features]),
            item.records,
            [offset + delay_ms for offset in item.offsets_ms],
        )
        for item in items
    ]


def streaming_loss(
    model: Any,
    items: list[Item],
    token_ids: dict[str, int],
    character_frames: CharacterFrames,
    rng: np.random.Generator,
) -> Losses:
    """Cross entropy after the sampler, CIF sum, word-start and frame losses of a batch."""
    features, lengths = (torch.from_numpy(array) for array in pad_features(items))
    ys, ys_lengths = token_targets(items, token_ids)
    features, _ = model.specaug(features, lengths)
    late = int(rng.integers(LATE_START_FRAMES)) if rng.random() < LATE_START_SHARE else 0
    cached = rng.random() < CACHED_END_SHARE
    windows = window_features(model, features, lengths, late, cached)
    window_hidden, window_alphas = encode_windows(model, windows)
    hidden, alphas = windows.own_frames(window_hidden), windows.own_frames(window_alphas)
    owned = shifted(items)
    characters = (ys_lengths - 1).to(alphas.dtype)
    due = characters + FIRST_SUM * (characters > 0)
    total = alphas.sum(-1)
    character_logits = model.frame_head(hidden)
    scaled = alphas * torch.where(characters > 0, due / total.clamp(min=1e-3), 1.0)[:, None]
    tail = (ys_lengths - scaled.sum(-1)).clamp(min=0)
    scaled = torch.cat([scaled, tail[:, None]], dim=1)
    hidden = torch.cat([hidden, torch.zeros_like(hidden[:, :1])], dim=1)
    acoustic = integrate(scaled, hidden, ys.size(1))
    memory, mask = decoder_memory(windows, window_hidden, scaled, ys.size(1))
    memory_lengths = torch.full((len(memory),), memory.size(1))
    mixed, first_pass = model.sampler(memory, memory_lengths, ys, ys_lengths, acoustic, mask)
    logits = model.decoder(memory, memory_lengths, mixed, ys_lengths, mask)[0]
    return Losses(
        cross_entropy=model.criterion_att(logits, ys),
        count=(total - due).abs().sum() / ys_lengths.sum(),
        alignment=alignment_loss(alphas, owned, FIRST_SUM),
        frame=character_frames.loss(character_logits, owned),
        accuracy=(first_pass.argmax(-1) == ys).sum() / ys_lengths.sum(),
    )


@torch.no_grad()
def transcribe(model: Any, features: torch.Tensor, tokens: list[str]) -> str:
    """Greedy text of one recording's normalised features [1, frames, 560], as when streamed."""
    windows = window_features(model, features, torch.tensor([features.size(1)]))
    window_hidden, window_alphas = encode_windows(model, windows)
    hidden, alphas = windows.own_frames(window_hidden), windows.own_frames(window_alphas)
    alphas = torch.cat([alphas, torch.full((1, 1), model.predictor.tail_threshold)], dim=1)
    count = int(alphas.sum().floor())
    if count < 1:
        return ""
    hidden = torch.cat([hidden, torch.zeros_like(hidden[:, :1])], dim=1)
    acoustic = integrate(alphas, hidden, count)
    memory, mask = decoder_memory(windows, window_hidden, alphas, count)
    lengths = torch.tensor([memory.size(1)])
    logits = model.decoder(memory, lengths, acoustic, torch.tensor([count]), mask)[0]
    return text_of(logits[0].argmax(-1).tolist(), tokens)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/shards"))
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/streaming"))
    parser.add_argument("--initial", type=Path, required=True, help="the offline model's weights")
    parser.add_argument("--minutes", type=float, default=30.0)
    parser.add_argument("--rate", type=float, default=1e-3)
    parser.add_argument("--max-steps", type=int)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(4)
    shards = Shards(arguments.shards, ("zh",))
    shards.refresh()
    tokens, mean, scale = prepare_directory(arguments.directory, shards, arguments.initial)
    token_ids = {token: index for index, token in enumerate(tokens)}
    character_frames = CharacterFrames(shards, token_ids)
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
    trainer = Trainer(model, arguments.directory, Schedule(arguments.minutes, arguments.rate, 200))
    stream = BatchStream(
        shards, mean, scale, trainer.seed + 1, {"zh": 1.0}, JOIN_SHARE, BATCH_FRAMES
    )
    rng = np.random.default_rng(trainer.seed + 6)

    def loss_of(model: nn.Module, items: list[Item]) -> tuple[torch.Tensor, dict[str, float]]:
        losses = streaming_loss(model, items, token_ids, character_frames, rng)
        return losses.total(), losses.figures()

    dev = load_dev_set(arguments.directory.parent / "dev", "zh")
    evaluate = make_evaluation(dev, mean, scale, tokens, transcribe)
    trainer.run(iter(stream), loss_of, evaluate, max_steps=arguments.max_steps)


if __name__ == "__main__":
    main()
