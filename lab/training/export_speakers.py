"""Exports the trained speaker model as a directory that installs like 3D-Speaker's exports.

python -m lab.training.export_speakers --output embedded_models/speaker
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

import torch

from asr_server.export.funasr_export import export_onnx
from asr_server.export.speaker_export import SpeakerForm

from .models import count_parameters
from .speaker_model import build_speaker_model


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--training", type=Path, default=Path(".cache/embedded/speaker"))
    parser.add_argument("--output", type=Path, required=True)
    arguments = parser.parse_args()
    path = arguments.training / "average.pt"
    weights = torch.load(path, map_location="cpu", weights_only=True)
    values = len(weights["model.xvector.dense.linear.weight"])
    model = build_speaker_model(values)
    model.load_state_dict(
        {k.removeprefix("model."): v for k, v in weights.items() if k != "directions"}
    )
    model.eval()
    arguments.output.mkdir(parents=True, exist_ok=True)
    export_onnx(SpeakerForm(model), arguments.output / "model.onnx")
    shutil.copyfile(arguments.training / "training_log.csv", arguments.output / "training_log.csv")
    size_mb = (arguments.output / "model.onnx").stat().st_size / 1e6
    print(f"speaker: {count_parameters(model)} weights, model.onnx {size_mb:.2f} MB")


if __name__ == "__main__":
    main()
