"""Fine-tunes a FunASR model on a Kaldi-style data folder, with FunASR's own tools.

    python -m scripts.finetune --base embedded_models/paraformer --train data/train \
        --valid data/dev --output .cache/finetuned/mine --epochs 5 --learning-rate 1e-4
    triton-asr-server install paraformer --from .cache/finetuned/mine

A data folder holds `wav.scp` (key and path of a 16 kHz file) and `text` (key and transcript). They
become FunASR's list (`scp2jsonl`), the base model is trained on it (`funasr.bin.train`), and the
average of the best checkpoints is put beside the base model's tables: a directory that the
installer exports, verifies and installs. Needs the `export` extra.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from asr_contract.text_files import read_text

CHECKPOINT = "model.pt"
# What a model directory holds besides weights and exported graphs.
TABLES = ("config.yaml", "configuration.json", "am.mvn", "tokens.json", "tokens.txt", "seg_dict")
_CHINESE = re.compile(r"([\u3400-\u9fff])")


class FinetuneError(RuntimeError):
    """Training cannot start, or FunASR gave up."""


@dataclass(frozen=True)
class Training:
    """Settings of a training run.

    Attributes:
        epochs: passes over the data.
        learning_rate: at the end of the warm-up that the base model's `config.yaml` sets.
        batch_tokens: size of a batch in tokens of text and frames of audio together.
        averaged: how many of the best checkpoints are averaged.
        device: "cpu", "cuda", ...
    """

    epochs: int
    learning_rate: float
    batch_tokens: int
    averaged: int
    device: str


def finetune(base: Path, train: Path, valid: Path, output: Path, training: Training) -> None:
    """Train `base` on a data folder and write a model directory.

    Args:
        base: model directory with `model.pt` and `config.yaml`.
        train, valid: data folders.
        output: the directory to write; FunASR's logs and checkpoints are in `training` there.

    Raises:
        FinetuneError: a file is missing, or FunASR fails.
    """
    for path in (base / CHECKPOINT, base / "config.yaml"):
        if not path.is_file():
            raise FinetuneError(f"{path}: not found")
    work = output / "training"
    work.mkdir(parents=True, exist_ok=True)
    lists = [write_list(data, work / f"{name}.jsonl") for name, data in
             (("train", train), ("valid", valid))]  # fmt: skip
    run_funasr(
        "funasr.bin.train",
        {
            "model": base.resolve(),
            "train_data_set_list": lists[0],
            "valid_data_set_list": lists[1],
            "output_dir": work,
            "device": training.device,
            "disable_update": "true",
            "dataset_conf.batch_size": training.batch_tokens,
            "dataset_conf.num_workers": 0,
            "train_conf.max_epoch": training.epochs,
            "train_conf.keep_nbest_models": max(training.averaged, 1),
            "train_conf.avg_nbest_model": training.averaged,
            "optim_conf.lr": training.learning_rate,
        },
        work,
    )
    trained = work / f"{CHECKPOINT}.avg{training.averaged}"
    if not trained.is_file():
        raise FinetuneError(f"{trained}: FunASR's training ended without it")
    shutil.copy(trained, output / CHECKPOINT)
    for name in TABLES:
        if (base / name).is_file():
            shutil.copy(base / name, output / name)
    for tokenizer in base.glob("*.bpe.model"):
        shutil.copy(tokenizer, output)


def write_list(data: Path, target: Path) -> Path:
    """Write FunASR's list of a data folder; returns `target`.

    Raises:
        FinetuneError: a file is missing, or no line of `wav.scp` has a recording and a transcript.
    """
    for name in ("wav.scp", "text"):
        if not (data / name).is_file():
            raise FinetuneError(f"{data / name}: not found")
    text, recordings = target.with_suffix(".text"), target.with_suffix(".scp")
    lines = read_text(data / "text").splitlines()
    text.write_text("".join(f"{space_chinese(line)}\n" for line in lines), encoding="utf-8")
    recordings.write_text(read_text(data / "wav.scp"), encoding="utf-8")
    run_funasr(
        "funasr.datasets.audio_datasets.scp2jsonl",
        {
            "scp_file_list": json.dumps([str(recordings), str(text)]),
            "data_type_list": '["source","target"]',
            "jsonl_file_out": target,
        },
        target.parent,
    )
    entries = [json.loads(line) for line in target.read_text(encoding="utf-8").splitlines()]
    complete = [entry for entry in entries if "source" in entry and "target" in entry]
    if not complete:
        raise FinetuneError(f"{data}: no recording of wav.scp exists and has a line in text")
    rows = (json.dumps(entry, ensure_ascii=False) + "\n" for entry in complete)
    target.write_text("".join(rows), encoding="utf-8")
    return target


def space_chinese(line: str) -> str:
    """Set the Chinese characters of a transcript apart, as FunASR's tokenizer expects them.

    Args:
        line: key and transcript.
    """
    key, _, transcript = line.strip().partition(" ")
    apart = _CHINESE.sub(r" \1 ", transcript).split()
    return " ".join([key, *apart])


def run_funasr(module: str, settings: dict[str, object], folder: Path) -> None:
    """Run one of FunASR's programs with hydra settings; its output goes to the terminal.

    Args:
        folder: gets hydra's log, which would otherwise be where the command is run.

    Raises:
        FinetuneError: it fails.
    """
    command = [sys.executable, "-m", module, f"hydra.run.dir={folder}", "hydra.output_subdir=null"]
    command += [f"++{key}={value}" for key, value in settings.items()]
    status = subprocess.run(command, check=False).returncode
    if status != 0:
        raise FinetuneError(f"{module} ended with status {status}")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", type=Path, required=True, help="model.pt and config.yaml")
    parser.add_argument("--train", type=Path, required=True, help="folder with wav.scp and text")
    parser.add_argument("--valid", type=Path, help="default: the training data")
    parser.add_argument("--output", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=10, help="default: %(default)s")
    parser.add_argument("--learning-rate", type=float, default=1e-4, help="default: %(default)s")
    parser.add_argument("--batch-tokens", type=int, default=6000, help="default: %(default)s")
    parser.add_argument("--averaged", type=int, default=2, help="default: %(default)s")
    parser.add_argument("--device", default="cpu", help="default: %(default)s")
    options = parser.parse_args(arguments)
    training = Training(
        options.epochs,
        options.learning_rate,
        options.batch_tokens,
        options.averaged,
        options.device,
    )
    valid = options.valid or options.train
    try:
        finetune(options.base, options.train, valid, options.output.resolve(), training)
    except FinetuneError as error:
        print(f"finetune: {error}", file=sys.stderr)
        return 1
    print(f"{options.output}: install it with triton-asr-server install KIND --from it")
    return 0


if __name__ == "__main__":
    sys.exit(main())
