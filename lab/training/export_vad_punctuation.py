"""Exports trained VAD and punctuation models as the directories that FunASR's runtimes load.

    python -m lab.training.export_vad_punctuation vad --output embedded_models/vad
    python -m lab.training.export_vad_punctuation punctuation \\
        --output embedded_models/punctuation
    python -m lab.training.export_vad_punctuation punctuation_online \\
        --output embedded_models/punctuation_online

model.onnx is what FunASR's own export methods give (opset 14), untouched.
"""

from __future__ import annotations

import argparse
import json
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .export import export_onnx, load_weights, save_checkpoint, write_config
from .models import build_model, count_parameters
from .train_punctuation import Form, punctuation_config
from .train_vad import SIZE, vad_config


@dataclass(frozen=True)
class Export:
    """What is special about one model.

    Attributes:
        training: its folder in `.cache/embedded`.
        task: its name on the hubs.
        tables: the training's files that it needs.
        form: of a punctuation model.
    """

    training: str
    task: str
    tables: tuple[str, ...]
    form: Form | None = None


EXPORTS = {
    "vad": Export("vad", "voice-activity-detection", ("am.mvn",)),
    "punctuation": Export("punctuation_offline", "punctuation", ("tokens.json",), "offline"),
    "punctuation_online": Export("punctuation_online", "punctuation", ("tokens.json",), "online"),
}


def read_config(export: Export, training: Path) -> tuple[dict[str, Any], int]:
    """FunASR's configuration of a model, and how many tokens or classes it knows."""
    if export.form is None:
        return vad_config(), SIZE.classes
    tokens = json.loads((training / "tokens.json").read_text(encoding="utf-8"))
    return punctuation_config(export.form, len(tokens)), len(tokens)


def write_configuration_json(export: Export, path: Path) -> None:
    """The hubs' configuration.json: which file of the directory goes where."""
    files: dict[str, Any] = {"init_param": "model.pt", "config": "config.yaml"}
    if export.form is None:
        files["frontend_conf"] = {"cmvn_file": "am.mvn"}
    else:
        files["tokenizer_conf"] = {"token_list": "tokens.json"}
    content = {
        "framework": "pytorch",
        "task": export.task,
        "model": {"type": "funasr"},
        "file_path_metas": files,
    }
    path.write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("model", choices=EXPORTS)
    parser.add_argument("--training", type=Path)
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    export = EXPORTS[arguments.model]
    training = arguments.training or Path(".cache/embedded") / export.training
    output: Path = arguments.output
    output.mkdir(parents=True, exist_ok=True)
    config, size = read_config(export, training)
    model = build_model(config, size)
    weights = load_weights(training / "average.pt")
    model.load_state_dict(weights)
    parameters = count_parameters(model)
    save_checkpoint(weights, output / "model.pt")
    write_config(config, output / "config.yaml")
    write_configuration_json(export, output / "configuration.json")
    for name in (*export.tables, "training_log.csv"):
        shutil.copyfile(training / name, output / name)
    export_onnx(model, config, output)
    size_mb = (output / "model.onnx").stat().st_size / 1e6
    print(f"{arguments.model}: {parameters} parameters, model.onnx {size_mb:.2f} MB")


if __name__ == "__main__":
    main()
