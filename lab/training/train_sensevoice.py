"""Trains SenseVoiceSmall in five languages, starting from the Paraformer's encoder.

    python -m lab.training.train_sensevoice --minutes 75

From scratch the CTC stays on a plateau for thousands of steps; the Paraformer's encoder has
the same layer names and shapes, so its weights load directly. Non-speech has the target
<|nospeech|><|EMO_UNKNOWN|><|Event_UNK|> and no text.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from asr_contract import character_error_rate
from asr_core.features import stack_frames

from .cmvn import read_cmvn
from .corpus import LANGUAGES
from .dataset import BatchStream, Features, Shards
from .deepen import silence_new_blocks
from .devset import DevSet, load_dev_set
from .dropout import use_byte_dropout
from .frame_targets import IGNORED, class_weights
from .fused_attention import use_fused_attention
from .models import WIDTH, build_model, count_parameters, sensevoice_config
from .run_options import Evaluation, add_run_options, train
from .sensevoice_batches import PREFIX_ROWS, SPOKEN_TAGS, Batch, make_batch
from .tokens import (
    BLANK,
    TEXTNORM_EMBEDDING,
    SenseVoiceTokenizer,
    write_sentencepiece_model,
)
from .workers import first_worker_first

SPM_NAME = "chn_jpn_yue_eng_ko_spectok.bpe.model"
TAG_WEIGHT, FRAME_WEIGHT, LANGUAGE_WEIGHT = 4.0, 0.5, 0.3
JOIN_SHARE = 0.15
"""Fewer than Paraformer's: a join is one example of its tag for the frames of seven."""
LANGUAGE_WEIGHTS = {"zh": 0.22, "en": 0.30, "yue": 0.15, "ja": 0.14, "ko": 0.19}


def keep_output(module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
    """A forward hook: leaves what the module gave as its `kept`."""
    vars(module)["kept"] = output


def sensevoice_loss(
    model: Any, batch: Batch, frame_weights: torch.Tensor
) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
    """CTC loss of the text per token, cross entropies of tags, frames and frames' language."""
    lengths, text_lengths = torch.from_numpy(batch.lengths), torch.from_numpy(batch.text_lengths)
    features, _ = model.specaug(batch.features, lengths)
    speech = torch.cat([model.embed(batch.query), features], dim=1)
    hidden, _ = model.encoder(speech, (lengths + PREFIX_ROWS).to(speech.device))
    logits = model.ctc.ctc_lo(hidden).float()
    ctc = nn.functional.ctc_loss(
        logits[:, PREFIX_ROWS:].log_softmax(-1).transpose(0, 1),
        batch.text.clamp(min=0),
        lengths,
        text_lengths,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    text_loss = ctc.sum() / int((text_lengths + 1).sum())
    tags = nn.functional.cross_entropy(logits[:, :PREFIX_ROWS].flatten(0, 1), batch.tags.flatten())
    frame_loss = nn.functional.cross_entropy(
        model.frame_head(hidden[:, PREFIX_ROWS:]).float().transpose(1, 2),
        batch.frames,
        frame_weights,
        ignore_index=IGNORED,
    )
    language_loss = nn.functional.cross_entropy(
        model.language_head(model.encoder.after_norm.kept[:, PREFIX_ROWS:]).float().transpose(1, 2),
        batch.languages,
        ignore_index=IGNORED,
    )
    loss = text_loss + TAG_WEIGHT * tags + FRAME_WEIGHT * frame_loss
    return loss + LANGUAGE_WEIGHT * language_loss, {
        "ctc": text_loss,
        "tags": tags,
        "frame": frame_loss,
        "language": language_loss,
    }


@torch.no_grad()
def recognise(
    model: Any, features: torch.Tensor, language: int, textnorm: int
) -> tuple[list[int], list[int]]:
    """The four tag ids and the text ids of one utterance's features [1, frames, 560].

    language, textnorm: embedding rows, 0 meaning "auto".
    """
    rows = model.embed(torch.tensor([[language, 1, 2, textnorm]], device=features.device))
    speech = torch.cat([rows, features], dim=1)
    lengths = torch.tensor([speech.size(1)], device=features.device)
    hidden, _ = model.encoder(speech, lengths)
    ids = model.ctc.ctc_lo(hidden)[0].argmax(-1).tolist()
    text, previous = [], BLANK
    for token in ids[PREFIX_ROWS:]:
        if token not in (previous, BLANK):
            text.append(token)
        previous = token
    return ids[:PREFIX_ROWS], text


def make_evaluation(
    devs: dict[str, DevSet], mean: Features, scale: Features, tokenizer: SenseVoiceTokenizer
) -> Callable[[nn.Module], dict[str, float]]:
    """The small held-out check run during training, with language "auto"."""

    def heard(model: Any, fbank: Features, itn: str = "woitn") -> tuple[int, str]:
        normalised = torch.from_numpy((stack_frames(fbank) - mean) * scale)
        features = normalised[None].to(model.embed.weight.device)
        tags, text = recognise(model, features, 0, TEXTNORM_EMBEDDING[itn])
        return tags[0], tokenizer.decode(text)

    def evaluate(model: nn.Module) -> dict[str, float]:
        row: dict[str, float] = {}
        right = 0
        for language, dev in devs.items():
            results = [heard(model, fbank) for fbank in dev.noisy[:60]]
            right += sum(tag == tokenizer.tag(language) for tag, _ in results)
            row[f"cer_{language}"] = character_error_rate(dev.texts[:60], [t for _, t in results])
        written = [heard(model, f, "withitn")[1] for f in devs["zh"].noisy[:60]]
        row["cer_zh_withitn"] = character_error_rate(devs["zh"].written[:60], written)
        joined = [heard(model, fbank)[1] for fbank in devs["zh"].joined]
        row["cer_joined"] = character_error_rate(devs["zh"].joined_texts, joined)
        empty = sum(heard(model, f)[1] == "" for f in devs["zh"].nonspeech)
        row["nonspeech_empty"] = empty / len(devs["zh"].nonspeech)
        row["language_right"] = right / (60 * len(devs))
        return row

    return evaluate


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    add_run_options(parser, minutes=75.0)
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/sensevoice"))
    parser.add_argument("--paraformer", type=Path, default=Path(".cache/embedded/paraformer"))
    parser.add_argument("--initial", type=Path, help="SenseVoice weights to go on from instead")
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--dropout", type=float, default=0.0, help="small models underfit")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(2)
    directory: Path = arguments.directory
    initial: Path = arguments.initial or arguments.paraformer / "average.pt"
    directory.mkdir(parents=True, exist_ok=True)
    with first_worker_first():
        if not (directory / SPM_NAME).exists():
            write_sentencepiece_model(directory / SPM_NAME)
            (directory / "am.mvn").write_bytes((initial.parent / "am.mvn").read_bytes())
    mean, scale = read_cmvn(directory / "am.mvn")
    tokenizer = SenseVoiceTokenizer(directory / SPM_NAME)
    model: Any = build_model(sensevoice_config(), tokenizer.size)
    model.frame_head = nn.Linear(WIDTH, tokenizer.size)
    model.language_head = nn.Linear(WIDTH, len(SPOKEN_TAGS))
    model.encoder.after_norm.register_forward_hook(keep_output)
    if not (directory / "checkpoint.pt").exists():
        weights = torch.load(initial, weights_only=True)
        fitting = {k: v for k, v in weights.items() if k in model.state_dict()}
        if not arguments.initial:
            fitting = {k: v for k, v in fitting.items() if k.startswith("encoder.")}
        model.load_state_dict(fitting, strict=False)
        new = silence_new_blocks(model, fitting)
        print(f"initialised {len(fitting)} tensors, new blocks: {new}", flush=True)
    use_byte_dropout(model, arguments.dropout, seed=2)
    use_fused_attention(model)
    print(f"{count_parameters(model)} parameters, {tokenizer.size} pieces", flush=True)
    shards = Shards(arguments.shards, LANGUAGES)
    shards.refresh()
    known = [utterance for found in shards.by_language.values() for utterance in found]
    frame_weights = torch.from_numpy(class_weights(known, tokenizer.size, tokenizer.encode))
    frame_weights = frame_weights.to(arguments.device)
    warmup_steps = 60 if arguments.initial else 300

    def make(seed: int) -> Iterator[Batch]:
        frames, rng = arguments.batch_frames, np.random.default_rng(seed + 4)
        stream = BatchStream(shards, mean, scale, seed, LANGUAGE_WEIGHTS, JOIN_SHARE, frames)
        return (make_batch(items, tokenizer, rng) for items in stream)

    def loss_of(model: Any, batch: Batch) -> tuple[torch.Tensor, dict[str, torch.Tensor]]:
        return sensevoice_loss(model, batch, frame_weights)

    def evaluation() -> Evaluation:
        devs = {name: load_dev_set(directory.parent / "dev", name) for name in LANGUAGES}
        return make_evaluation(devs, mean, scale, tokenizer)

    train(model, arguments, warmup_steps, make, loss_of, evaluation, evaluate_every_s=480.0)


if __name__ == "__main__":
    main()
