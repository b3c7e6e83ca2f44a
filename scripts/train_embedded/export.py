"""Exports a trained model as the directory that FunASR and its ONNX runtime load.

    python -m scripts.train_embedded.export paraformer --output embedded_models/paraformer
    python -m scripts.train_embedded.export sensevoice --output embedded_models/sensevoice

model.onnx is what FunASR's own export methods give (opset 14), untouched.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from typing import Any

import torch
import yaml

from scripts.random_models.export import export_onnx as trace_onnx

from .models import build_model, count_parameters, paraformer_config, sensevoice_config
from .tokens import SenseVoiceTokenizer, sensevoice_pieces
from .train_sensevoice import SPM_NAME

MAX_FRAMES = 512
AUXILIARY_PREFIXES = ("frame_head.",)
"""Heads that only training uses."""


def load_weights(path: Path) -> dict[str, torch.Tensor]:
    """The averaged weights of a training directory, without auxiliary heads."""
    weights: dict[str, torch.Tensor] = torch.load(path, weights_only=True)
    return {k: v for k, v in weights.items() if not k.startswith(AUXILIARY_PREFIXES)}


def export_onnx(model: Any, config: dict[str, Any], path: Path) -> None:
    """Writes model.onnx through FunASR's export methods and torch's TorchScript exporter."""
    arguments = {key: value for key, value in config.items() if key != "model"}
    model.eval()
    exported = model.export(type="onnx", max_seq_len=MAX_FRAMES, device="cpu", **arguments)
    exported.eval()
    trace_onnx(exported, path)


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
    """Writes the Paraformer's directory; returns its number of weights."""
    config = paraformer_config()
    tokens = json.loads((training / "tokens.json").read_text(encoding="utf-8"))
    model = build_model(config, len(tokens))
    weights = load_weights(training / "average.pt")
    model.load_state_dict(weights)
    parameters = count_parameters(model)
    torch.save(weights, output / "model.pt")
    write_config(config, output / "config.yaml")
    write_configuration_json(output / "configuration.json", "tokens.json", "token_list")
    tokens_text = json.dumps(tokens, ensure_ascii=False, indent=0)
    (output / "tokens.json").write_text(tokens_text + "\n", encoding="utf-8")
    export_onnx(model, config, output / "model.onnx")
    return parameters


def export_sensevoice(training: Path, output: Path) -> int:
    """Writes SenseVoice's directory; returns its number of weights."""
    config = sensevoice_config()
    tokenizer = SenseVoiceTokenizer(training / SPM_NAME)
    model: Any = build_model(config, tokenizer.size)
    model.load_state_dict(load_weights(training / "average.pt"))
    parameters = count_parameters(model)
    write_config(config, output / "config.yaml")
    shutil.copyfile(training / SPM_NAME, output / SPM_NAME)
    pieces = json.dumps(sensevoice_pieces(), ensure_ascii=False, indent=0)
    (output / "tokens.json").write_text(pieces + "\n", encoding="utf-8")
    export_onnx(model, config, output / "model.onnx")
    return parameters


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=("paraformer", "sensevoice"))
    parser.add_argument("--training", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    training = arguments.training or Path(".cache/embedded") / arguments.model
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    export = export_paraformer if arguments.model == "paraformer" else export_sensevoice
    parameters = export(training, output)
    for name in ("am.mvn", "training_log.csv"):
        shutil.copyfile(training / name, output / name)
    size = (output / "model.onnx").stat().st_size
    print(f"{arguments.model}: {parameters} parameters, model.onnx {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
