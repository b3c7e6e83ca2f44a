"""Trains the BiCifParaformer's encoder, CIF predictor and decoder from scratch.

    python -m lab.training.train_paraformer --minutes 80

The timestamp branch of the predictor is trained afterwards (train_timestamps). Besides
FunASR's losses, the running sum of the CIF weights is pulled towards the number of characters
begun at each word start that the synthesiser reported: it counts right locally, so joined
recordings do not drift. Stopping and starting again resumes from the last checkpoint.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .cif import firing_frames, integrate, length_mask
from .dataset import JOIN_SHARE, BatchStream, Shards
from .devset import load_dev_set
from .dropout import use_byte_dropout
from .fused_attention import use_fused_attention
from .local_attention import keep_attention, local_attention_loss
from .models import WIDTH, build_model, count_parameters, paraformer_config
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


def masked_hidden(
    model: Any, features: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encoder output [batch, frames, width] with zeros past each length, and the mask."""
    hidden, _ = model.encode(features, lengths)
    hidden = hidden.float()
    mask = length_mask(lengths, hidden.size(1)).to(hidden.device)
    return hidden * mask[:, :, None], mask


def paraformer_loss(model: Any, batch: Batch, frame_weights: torch.Tensor) -> Losses:
    """Cross entropy after the sampler, token-count, word-start and frame losses of a batch."""
    lengths, on_host = torch.from_numpy(batch.lengths), torch.from_numpy(batch.ys_lengths)
    ys_lengths, tokens = on_host.to(batch.ys.device), batch.ys.size(1)
    hidden, mask = masked_hidden(model, batch.features, lengths)
    alphas = cif_weights(model.predictor, hidden, mask)
    scaled = alphas * (ys_lengths / alphas.sum(-1).clamp(min=1e-3))[:, None]
    with torch.autocast(hidden.device.type, enabled=False):
        acoustic = integrate(scaled, hidden, tokens)
    mixed, first_pass = glance(model, hidden, lengths, batch, acoustic)
    logits = model.decoder(hidden, lengths, mixed, on_host)[0].float()
    heard = (mixed == acoustic).all(-1) & length_mask(ys_lengths, tokens)
    return Losses(
        cross_entropy=model.criterion_att(logits, batch.ys),
        count=model.criterion_pre(ys_lengths.type_as(alphas), alphas.sum(-1)),
        alignment=alignment_loss(alphas, batch),
        frame=frame_loss(model.frame_head(hidden), batch, frame_weights),
        local=local_attention_loss(model.decoder, firing_frames(scaled, tokens), counted=heard),
        accuracy=(first_pass == batch.ys).sum() / ys_lengths.sum(),
    )


@torch.no_grad()
def transcribe(model: Any, features: torch.Tensor, tokens: list[str]) -> str:
    """Greedy text of one utterance's features [1, frames, 560]."""
    lengths = torch.tensor([features.size(1)])
    hidden, mask = masked_hidden(model, features, lengths)
    alphas = cif_weights(model.predictor, hidden, mask)
    alphas = nn.functional.pad(alphas, (0, 1), value=model.predictor.tail_threshold)
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
    add_run_options(parser, minutes=80.0)
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/paraformer"))
    parser.add_argument("--rate", type=float, default=2e-3)
    parser.add_argument("--initial", type=Path, help="weights to continue from")
    parser.add_argument("--join-share", type=float, default=JOIN_SHARE)
    parser.add_argument("--dropout", type=float, default=0.0, help="small models underfit")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(1)
    shards = Shards(arguments.shards, ("zh",))
    shards.refresh()
    tokens, mean, scale = prepare_directory(arguments.directory, shards, arguments.initial)
    characters = Characters({token: index for index, token in enumerate(tokens)})
    frame_weights = characters.weights(shards.by_language["zh"]).to(arguments.device)
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

    def make(seed: int) -> Iterator[Batch]:
        frames, share = arguments.batch_frames, arguments.join_share
        stream = BatchStream(shards, mean, scale, seed, {"zh": 1.0}, share, frames)
        return (make_batch(items, characters) for items in stream)

    def loss_of(model: Any, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        losses = paraformer_loss(model, batch, frame_weights)
        return losses.total(), losses.figures()

    def evaluation() -> Evaluation:
        dev = load_dev_set(arguments.directory.parent / "dev", "zh")
        return make_evaluation(dev, mean, scale, tokens, transcribe)

    train(model, arguments, warmup_steps, make, loss_of, evaluation)


if __name__ == "__main__":
    main()
