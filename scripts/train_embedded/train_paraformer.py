"""Trains the BiCifParaformer's encoder, CIF predictor and decoder from scratch.

    python -m scripts.train_embedded.train_paraformer --minutes 80

The timestamp branch of the predictor is trained afterwards (train_timestamps). Besides
FunASR's losses, the running sum of the CIF weights is pulled towards the number of characters
begun at each word start that the synthesiser reported: it counts right locally, so joined
recordings do not drift. Stopping and starting again resumes from the last checkpoint.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import nn

from .cif import integrate, length_mask
from .cmvn import estimate_cmvn, read_cmvn, write_cmvn
from .corpus_zh import vocabulary
from .dataset import JOIN_SHARE, BatchStream, Features, Item, Shards, pad_features, pad_targets
from .devset import DevSet, load_dev_set
from .dropout import use_byte_dropout
from .error_rate import character_error_rate
from .fbank import stack_frames
from .frame_targets import IGNORED, class_weights, frame_targets
from .fused_attention import use_fused_attention
from .models import WIDTH, build_model, count_parameters, paraformer_config
from .training_loop import Schedule, Trainer

Transcriber = Callable[[Any, torch.Tensor, list[str]], str]
"""Text of a model for features [1, frames, 560] with these tokens."""
EOS = 2
FRAME_MS = 60.0
ALIGNMENT_WEIGHT = 1.0
FRAME_WEIGHT = 0.5


def paraformer_tokens() -> list[str]:
    """FunASR's layout: blank, start, end, the characters, unknown last."""
    return ["<blank>", "<s>", "</s>", *vocabulary(), "<unk>"]


def masked_hidden(
    model: Any, features: torch.Tensor, lengths: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """Encoder output [batch, frames, width] with zeros past each length, and the mask."""
    hidden, _ = model.encode(features, lengths)
    hidden = hidden.float()
    mask = length_mask(lengths, hidden.size(1))
    return hidden * mask[:, :, None], mask


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


def paraformer_loss(
    model: Any, items: list[Item], token_ids: dict[str, int], frame_weights: torch.Tensor
) -> tuple[torch.Tensor, dict[str, float]]:
    """Cross entropy after the sampler, token-count loss and word-start loss of a batch."""
    features, lengths = (torch.from_numpy(array) for array in pad_features(items))
    ys, ys_lengths = token_targets(items, token_ids)
    hidden, mask = masked_hidden(model, features, lengths)
    alphas = cif_weights(model.predictor, hidden, mask)
    count_loss = model.criterion_pre(ys_lengths.type_as(alphas), alphas.sum(-1))
    aligned = alignment_loss(alphas, items)
    frames = torch.from_numpy(
        frame_targets(items, hidden.size(1), lambda text, _: [token_ids[c] for c in text])
    )
    frame_logits = model.frame_head(hidden).float().transpose(1, 2)
    frame_loss = nn.functional.cross_entropy(
        frame_logits, frames, frame_weights, ignore_index=IGNORED
    )
    scaled = alphas * (ys_lengths / alphas.sum(-1).clamp(min=1e-3))[:, None]
    with torch.autocast("cpu", enabled=False):
        acoustic = integrate(scaled, hidden, int(ys_lengths.max()))
    mixed, first_pass = model.sampler(hidden, lengths, ys, ys_lengths, acoustic)
    logits = model.decoder(hidden, lengths, mixed, ys_lengths)[0].float()
    cross_entropy = model.criterion_att(logits, ys)
    loss = cross_entropy + count_loss + ALIGNMENT_WEIGHT * aligned + FRAME_WEIGHT * frame_loss
    right = (first_pass.argmax(-1) == ys).sum() / ys_lengths.sum()
    return loss, {
        "ce": cross_entropy.item(),
        "count": count_loss.item(),
        "align": aligned.item(),
        "frame": frame_loss.item(),
        "accuracy": right.item(),
    }


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
    ids = logits[0].argmax(-1).tolist()
    return "".join(tokens[i] for i in ids if i > EOS and i != len(tokens) - 1)


def make_evaluation(
    dev: DevSet, mean: Features, scale: Features, tokens: list[str], transcriber: Transcriber
) -> Callable[[nn.Module], dict[str, float]]:
    """The small held-out check run during training."""

    def text_of(model: nn.Module, fbank: Features) -> str:
        features = (stack_frames(fbank) - mean) * scale
        return transcriber(model, torch.from_numpy(features)[None], tokens)

    def evaluate(model: nn.Module) -> dict[str, float]:
        heard = [text_of(model, fbank) for fbank in dev.noisy]
        joined = [text_of(model, fbank) for fbank in dev.joined]
        empty = sum(text_of(model, fbank) == "" for fbank in dev.nonspeech)
        return {
            "cer": character_error_rate(dev.texts, heard),
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
    if initial and not tokens_path.exists():
        for path in (tokens_path, cmvn_path):
            shutil.copyfile(initial.parent / path.name, path)
    if not tokens_path.exists():
        tokens_path.write_text(json.dumps(paraformer_tokens(), ensure_ascii=False, indent=0))
        write_cmvn(cmvn_path, *estimate_cmvn(shards))
    tokens: list[str] = json.loads(tokens_path.read_text())
    return tokens, *read_cmvn(cmvn_path)


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
    frame_weights = torch.from_numpy(
        class_weights(
            shards.by_language["zh"], len(tokens), lambda text, _: [token_ids[c] for c in text]
        )
    )
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
    warmup_steps = 100 if arguments.initial else 400
    schedule = Schedule(arguments.minutes, arguments.rate, warmup_steps)
    trainer = Trainer(model, arguments.directory, schedule)
    stream = BatchStream(shards, mean, scale, trainer.step + 1, {"zh": 1.0}, arguments.join_share)

    def loss_of(model: nn.Module, items: list[Item]) -> tuple[torch.Tensor, dict[str, float]]:
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
            return paraformer_loss(model, items, token_ids, frame_weights)

    dev = load_dev_set(arguments.directory.parent / "dev", "zh")
    evaluate = make_evaluation(dev, mean, scale, tokens, transcribe)
    trainer.run(iter(stream), loss_of, evaluate, max_steps=arguments.max_steps)


if __name__ == "__main__":
    main()
