"""Exports a trained model as the directory that FunASR and its ONNX runtime load.

    python -m lab.training.export paraformer --output embedded_models/paraformer
    python -m lab.training.export sensevoice --output embedded_models/sensevoice
    python -m lab.training.export paraformer_online \
        --output embedded_models/paraformer_online

model.onnx (of the streaming Paraformer the encoder, beside decoder.onnx) is what FunASR's own
export methods give (opset 14), untouched.
"""

from __future__ import annotations

import argparse
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
import yaml

from asr_server.export.funasr_export import export_onnx as trace_onnx

from .models import (
    build_model,
    count_parameters,
    paraformer_config,
    sensevoice_config,
    streaming_config,
)
from .tokens import SenseVoiceTokenizer, sensevoice_pieces
from .train_sensevoice import SPM_NAME

MAX_FRAMES = 512
AUXILIARY_PREFIXES = ("frame_head.", "language_head.")
"""Heads that only training uses."""


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The averaged weights of a training directory, without auxiliary heads."""
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return {k: v for k, v in weights.items() if not k.startswith(AUXILIARY_PREFIXES)}


def export_onnx(model: Any, config: dict[str, Any], output: Path) -> None:
    """Writes model.onnx, and decoder.onnx where FunASR's export methods give two graphs."""
    arguments = {key: value for key, value in config.items() if key != "model"}
    model.eval()
    exported = model.export(type="onnx", max_seq_len=MAX_FRAMES, device="cpu", **arguments)
    forms = exported if isinstance(exported, tuple) else (exported,)
    for name, form in zip(("model", "decoder"), forms, strict=False):
        form.eval()
        trace_onnx(form, output / f"{name}.onnx")


def save_checkpoint(weights: dict[str, torch.Tensor], path: Path) -> None:
    """Writes the weights in half precision; loading turns them into the model's own."""
    torch.save({k: v.half() if v.is_floating_point() else v for k, v in weights.items()}, path)


def write_config(config: dict[str, Any], path: Path) -> None:
    """config.yaml in the order of `config`."""
    text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True, default_flow_style=False)
    path.write_text(text, encoding="utf-8")


def write_configuration_json(path: Path, tokenizer_file: str, tokenizer_key: str) -> None:
    """The hubs' configuration.json: which file of the directory goes where."""
    content = {
        "framework": "pytorch",
        "task": "auto-speech-recognition",
        "model": {"type": "funasr"},
        "file_path_metas": {
            "init_param": "model.pt",
            "config": "config.yaml",
            "tokenizer_conf": {tokenizer_key: tokenizer_file},
            "frontend_conf": {"cmvn_file": "am.mvn"},
        },
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def export_paraformer(training: Path, output: Path) -> int:
    """Writes the offline Paraformer's directory; returns its number of weights."""
    return _export_with_tokens(paraformer_config(), training, output)


def export_paraformer_online(training: Path, output: Path) -> int:
    """Writes the streaming Paraformer's directory; returns its number of weights."""
    return _export_with_tokens(streaming_config(), training, output)


def _export_with_tokens(config: dict[str, Any], training: Path, output: Path) -> int:
    tokens = json.loads((training / "tokens.json").read_text(encoding="utf-8"))
    model = build_model(config, len(tokens))
    weights = load_weights(training / "average.pt")
    model.load_state_dict(weights)
    parameters = count_parameters(model)
    save_checkpoint(weights, output / "model.pt")
    write_config(config, output / "config.yaml")
    write_configuration_json(output / "configuration.json", "tokens.json", "token_list")
    tokens_text = json.dumps(tokens, ensure_ascii=False, indent=0)
    (output / "tokens.json").write_text(tokens_text + "\n", encoding="utf-8")
    export_onnx(model, config, output)
    return parameters


def export_sensevoice(training: Path, output: Path) -> int:
    """Writes SenseVoice's directory; returns its number of weights."""
    config = sensevoice_config()
    tokenizer = SenseVoiceTokenizer(training / SPM_NAME)
    model: Any = build_model(config, tokenizer.size)
    weights = load_weights(training / "average.pt")
    model.load_state_dict(weights)
    parameters = count_parameters(model)
    save_checkpoint(weights, output / "model.pt")
    write_config(config, output / "config.yaml")
    write_configuration_json(output / "configuration.json", SPM_NAME, "bpemodel")
    shutil.copyfile(training / SPM_NAME, output / SPM_NAME)
    pieces = json.dumps(sensevoice_pieces(), ensure_ascii=False, indent=0)
    (output / "tokens.json").write_text(pieces + "\n", encoding="utf-8")
    export_onnx(model, config, output)
    return parameters


EXPORTS: dict[str, tuple[str, Callable[[Path, Path], int]]] = {
    "paraformer": ("timestamps", export_paraformer),
    "sensevoice": ("sensevoice", export_sensevoice),
    "paraformer_online": ("streaming", export_paraformer_online),
}
"""For each model the folder of its last training, and the function that exports it."""


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=EXPORTS)
    parser.add_argument("--training", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    folder, export = EXPORTS[arguments.model]
    training = arguments.training or Path(".cache/embedded") / folder
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    parameters = export(training, output)
    for name in ("am.mvn", "training_log.csv"):
        shutil.copyfile(training / name, output / name)
    sizes = [f"{path.name} {path.stat().st_size / 1e6:.2f} MB" for path in output.glob("*.onnx")]
    print(f"{arguments.model}: {parameters} parameters, {', '.join(sizes)}")


if __name__ == "__main__":
    main()
