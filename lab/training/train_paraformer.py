"""Trains the BiCifParaformer's encoder, CIF predictor and decoder from scratch.

    python -m lab.training.train_paraformer --minutes 80

The timestamp branch of the predictor is trained afterwards (train_timestamps). Besides
FunASR's losses, the running sum of the CIF weights is pulled towards the number of characters
begun at each word start that the synthesiser reported: it counts right locally, so joined
recordings do not drift. Stopping and starting again resumes from the last checkpoint.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .cif import firing_frames, integrate, length_mask
from .dataset import JOIN_SHARE, BatchStream, Item, Shards, pad_features
from .devset import load_dev_set
from .dropout import use_byte_dropout
from .fused_attention import use_fused_attention
from .local_attention import keep_attention, local_attention_loss
from .models import WIDTH, build_model, count_parameters, paraformer_config
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
from .training_loop import Schedule, Trainer


def masked_hidden(
    model: Any, features: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encoder output [batch, frames, width] with zeros past each length, and the mask."""
    hidden, _ = model.encode(features, lengths)
    hidden = hidden.float()
    mask = length_mask(lengths, hidden.size(1))
    return hidden * mask[:, :, None], mask


def paraformer_loss(
    model: Any, items: list[Item], token_ids: dict[str, int], character_frames: CharacterFrames
) -> Losses:
    """Cross entropy after the sampler, token-count, word-start and frame losses of a batch."""
    features, lengths = (torch.from_numpy(array) for array in pad_features(items))
    ys, ys_lengths = token_targets(items, token_ids)
    hidden, mask = masked_hidden(model, features, lengths)
    alphas = cif_weights(model.predictor, hidden, mask)
    scaled = alphas * (ys_lengths / alphas.sum(-1).clamp(min=1e-3))[:, None]
    with torch.autocast("cpu", enabled=False):
        acoustic = integrate(scaled, hidden, int(ys_lengths.max()))
    mixed, first_pass = model.sampler(hidden, lengths, ys, ys_lengths, acoustic)
    logits = model.decoder(hidden, lengths, mixed, ys_lengths)[0].float()
    heard = (mixed == acoustic).all(-1) & length_mask(ys_lengths, mixed.size(1))
    return Losses(
        cross_entropy=model.criterion_att(logits, ys),
        count=model.criterion_pre(ys_lengths.type_as(alphas), alphas.sum(-1)),
        alignment=alignment_loss(alphas, items),
        frame=character_frames.loss(model.frame_head(hidden), items),
        local=local_attention_loss(
            model.decoder, firing_frames(scaled, mixed.size(1)), counted=heard
        ),
        accuracy=(first_pass.argmax(-1) == ys).sum() / ys_lengths.sum(),
    )


@torch.no_grad()
def transcribe(model: Any, features: torch.Tensor, tokens: list[str]) -> str:
    """Greedy text of one utterance's features [1, frames, 560]."""
    lengths = torch.tensor([features.size(1)])
    hidden, mask = masked_hidden(model, features, lengths)
    alphas = cif_weights(model.predictor, hidden, mask)
    alphas = torch.cat([alphas, torch.full((1, 1), model.predictor.tail_threshold)], dim=1)
    count = int(alphas.sum().floor())
    if count < 1:
        return ""
    padded = torch.cat([hidden, torch.zeros_like(hidden[:, :1])], dim=1)
    acoustic = integrate(alphas, padded, count)
    logits = model.decoder(hidden, lengths, acoustic, torch.tensor([count]))[0]
    return text_of(logits[0].argmax(-1).tolist(), tokens)


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/shards"))
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/paraformer"))
    parser.add_argument("--minutes", type=float, default=80.0)
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--initial", type=Path, help="weights to continue from")
    parser.add_argument("--join-share", type=float, default=JOIN_SHARE)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--dropout", type=float, default=0.0, help="small models underfit")
    parser.add_argument("--bfloat16", action="store_true", help="1.7 x faster with AVX512-BF16")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    shards = Shards(arguments.shards, ("zh",))
    shards.refresh()
    tokens, mean, scale = prepare_directory(arguments.directory, shards, arguments.initial)
    token_ids = {token: index for index, token in enumerate(tokens)}
    character_frames = CharacterFrames(shards, token_ids)
    model = build_model(paraformer_config(), len(tokens))
    frozen = ("upsample_cnn", "blstm", "cif_output2")
    for name, parameter in model.named_parameters():
        parameter.requires_grad = not any(part in name for part in frozen)
    print(f"{count_parameters(model)} parameters, {len(tokens)} tokens", flush=True)
    model.frame_head = nn.Linear(WIDTH, len(tokens))
    if arguments.initial and not (arguments.directory / "checkpoint.pt").exists():
        model.load_state_dict(torch.load(arguments.initial, weights_only=True), strict=False)
    use_byte_dropout(model, arguments.dropout, seed=1)
    use_fused_attention(model)
    keep_attention(model)
    warmup_steps = 100 if arguments.initial else 400
    schedule = Schedule(arguments.minutes, arguments.rate, warmup_steps)
    trainer = Trainer(model, arguments.directory, schedule)
    stream = BatchStream(shards, mean, scale, trainer.seed + 1, {"zh": 1.0}, arguments.join_share)

    def loss_of(model: nn.Module, items: list[Item]) -> tuple[torch.Tensor, dict[str, float]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
            losses = paraformer_loss(model, items, token_ids, character_frames)
            return losses.total(), losses.figures()

    dev = load_dev_set(arguments.directory.parent / "dev", "zh")
    evaluate = make_evaluation(dev, mean, scale, tokens, transcribe)
    trainer.run(iter(stream), loss_of, evaluate, max_steps=arguments.max_steps)


if __name__ == "__main__":
    main()
