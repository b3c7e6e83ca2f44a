"""Trains SenseVoiceSmall in five languages, starting from the Paraformer's encoder.

    python -m lab.training.train_sensevoice --minutes 75

From scratch the CTC stays on a plateau for thousands of steps; the Paraformer's encoder has
the same layer names and shapes, so its weights load directly. Non-speech has the target
<|nospeech|><|EMO_UNKNOWN|><|Event_UNK|> and no text.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from asr_contract import character_error_rate
from asr_core.features import stack_frames

from .cmvn import read_cmvn
from .corpus import LANGUAGES
from .dataset import BatchStream, Features, Item, Shards, pad_features, pad_targets
from .deepen import silence_new_blocks
from .devset import DevSet, load_dev_set
from .dropout import use_byte_dropout
from .frame_targets import IGNORED, class_weights, frame_targets
from .fused_attention import use_fused_attention
from .models import WIDTH, build_model, count_parameters, sensevoice_config
from .tokens import (
    BLANK,
    LANGUAGE_EMBEDDING,
    TEXTNORM_EMBEDDING,
    SenseVoiceTokenizer,
    write_sentencepiece_model,
)
from .training_loop import Schedule, Trainer
from .workers import first_worker_first

SPM_NAME = "chn_jpn_yue_eng_ko_spectok.bpe.model"
PREFIX_ROWS = 4
WITHITN_SHARE = 0.3
AUTO_SHARE = 0.7
"""Share of batches that are not told the language; FunASR's 20 % teach too little of it."""
TAG_WEIGHT, FRAME_WEIGHT, LANGUAGE_WEIGHT = 2.0, 0.5, 0.3
SPOKEN_TAGS = tuple(LANGUAGE_EMBEDDING)
"""The classes of the language that every frame is asked for."""
JOIN_SHARE = 0.15
"""Fewer than Paraformer's: a join is one example of its tag for the frames of seven."""
LANGUAGE_WEIGHTS = {"zh": 0.22, "en": 0.30, "yue": 0.15, "ja": 0.14, "ko": 0.19}


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


def keep_output(module: nn.Module, _inputs: Any, output: torch.Tensor) -> None:
    """A forward hook: leaves what the module gave as its `kept`."""
    vars(module)["kept"] = output


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


def sensevoice_loss(
    model: Any,
    items: list[Item],
    tokenizer: SenseVoiceTokenizer,
    rng: np.random.Generator,
    frame_weights: torch.Tensor,
) -> tuple[torch.Tensor, dict[str, float]]:
    """CTC loss of the text per token, cross entropies of tags, frames and frames' language."""
    targets = [item_target(item, tokenizer, rng.random() < WITHITN_SHARE) for item in items]
    kept = keep_alignable(items, targets)
    items, targets = [items[i] for i in kept], [targets[i] for i in kept]
    features, lengths = (torch.from_numpy(array) for array in pad_features(items))
    padded, target_lengths = (torch.from_numpy(array) for array in pad_targets(targets))
    hidden, hidden_lengths = model.encode(features, lengths, padded)
    logits = model.ctc.ctc_lo(hidden).float()
    text_lengths = target_lengths - PREFIX_ROWS
    ctc = nn.functional.ctc_loss(
        logits[:, PREFIX_ROWS:].log_softmax(-1).transpose(0, 1),
        padded[:, PREFIX_ROWS:].clamp(min=0) if padded.size(1) > PREFIX_ROWS else padded[:, :1],
        (hidden_lengths - PREFIX_ROWS).long(),
        text_lengths,
        blank=BLANK,
        reduction="none",
        zero_infinity=True,
    )
    text_loss = ctc.sum() / (text_lengths + 1).sum()
    tags = nn.functional.cross_entropy(
        logits[:, :PREFIX_ROWS].reshape(-1, logits.size(-1)), padded[:, :PREFIX_ROWS].reshape(-1)
    )
    spoken_hidden = hidden[:, PREFIX_ROWS:]
    frames = torch.from_numpy(frame_targets(items, spoken_hidden.size(1), tokenizer.encode))
    frame_loss = nn.functional.cross_entropy(
        model.frame_head(spoken_hidden).float().transpose(1, 2),
        frames,
        frame_weights,
        ignore_index=IGNORED,
    )
    language_loss = nn.functional.cross_entropy(
        model.language_head(model.encoder.after_norm.kept[:, PREFIX_ROWS:]).float().transpose(1, 2),
        language_targets(items, spoken_hidden.size(1)),
        ignore_index=IGNORED,
    )
    loss = text_loss + TAG_WEIGHT * tags + FRAME_WEIGHT * frame_loss
    return loss + LANGUAGE_WEIGHT * language_loss, {
        "ctc": text_loss.item(),
        "tags": tags.item(),
        "frame": frame_loss.item(),
        "language": language_loss.item(),
    }


@torch.no_grad()
def recognise(
    model: Any, features: torch.Tensor, language: int, textnorm: int
) -> tuple[list[int], list[int]]:
    """The four tag ids and the text ids of one utterance's features [1, frames, 560].

    language, textnorm: embedding rows, 0 meaning "auto".
    """
    rows = model.embed(torch.tensor([[language, 1, 2, textnorm]]))
    speech = torch.cat([rows, features], dim=1)
    hidden, _ = model.encoder(speech, torch.tensor([speech.size(1)]))
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

    def heard(model: nn.Module, fbank: Features, itn: str = "woitn") -> tuple[int, str]:
        features = torch.from_numpy((stack_frames(fbank) - mean) * scale)[None]
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
    parser.add_argument("--shards", type=Path, default=Path(".cache/embedded/shards"))
    parser.add_argument("--directory", type=Path, default=Path(".cache/embedded/sensevoice"))
    parser.add_argument("--paraformer", type=Path, default=Path(".cache/embedded/paraformer"))
    parser.add_argument("--initial", type=Path, help="SenseVoice weights to go on from instead")
    parser.add_argument("--minutes", type=float, default=75.0)
    parser.add_argument("--rate", type=float, default=1.2e-3)
    parser.add_argument("--max-steps", type=int)
    parser.add_argument("--dropout", type=float, default=0.0, help="small models underfit")
    parser.add_argument("--bfloat16", action="store_true", help="1.7 x faster with AVX512-BF16")
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
    languages = tokenizer.language_embeddings()
    model.textnorm_int_dict = tokenizer.textnorm_embeddings()
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
    warmup_steps = 60 if arguments.initial else 300
    schedule = Schedule(arguments.minutes, arguments.rate, warmup_steps)
    trainer = Trainer(model, directory, schedule)
    shards = Shards(arguments.shards, LANGUAGES)
    shards.refresh()
    known = [utterance for found in shards.by_language.values() for utterance in found]
    frame_weights = torch.from_numpy(class_weights(known, tokenizer.size, tokenizer.encode))
    stream = BatchStream(shards, mean, scale, trainer.seed + 1, LANGUAGE_WEIGHTS, JOIN_SHARE)
    rng = np.random.default_rng(trainer.seed + 5)

    def loss_of(model: Any, items: list[Item]) -> tuple[torch.Tensor, dict[str, float]]:
        model.lid_int_dict = {} if rng.random() < AUTO_SHARE else languages
        with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
            return sensevoice_loss(model, items, tokenizer, rng, frame_weights)

    devs = {name: load_dev_set(directory.parent / "dev", name) for name in LANGUAGES}
    evaluate = make_evaluation(devs, mean, scale, tokenizer)
    trainer.run(iter(stream), loss_of, evaluate, 480.0, arguments.max_steps)


if __name__ == "__main__":
    main()
