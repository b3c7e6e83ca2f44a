"""Repositories in which a Python model stands for a graph."""

from __future__ import annotations

import re
import shutil
from collections.abc import Mapping
from pathlib import Path

from asr_server.models import VERSION

STAND_INS = Path(__file__).with_name("stand_in")


def put_stand_in(
    model: Path, program: str, max_batch: int, parameters: Mapping[str, str], tensors: str = ""
) -> None:
    """Let a Python program answer in the place of a model's graph.

    Args:
        model: the model's folder, of a copied repository.
        program: name of a file in `stand_in`.
        max_batch: rows that it takes.
        parameters: that it gets.
        tensors: inputs or outputs, as in a configuration that does not leave them to its graph.
    """
    shutil.copy(STAND_INS / program, model / VERSION / "model.py")
    path = model / "config.pbtxt"
    lines = [
        line for line in path.read_text().splitlines() if not line.startswith(("parameters", "def"))
    ]
    text = "\n".join(lines)
    text = re.sub(r"model_warmup \[.*?\n\]\n", "", text, flags=re.DOTALL)
    text = re.sub(r"batch_input \[.*?\n\]\n", "", text, flags=re.DOTALL)
    text = re.sub(r"# >>> configure_gpu.*", "", text, flags=re.DOTALL)
    text = text.replace('backend: "onnxruntime"', 'backend: "python"')
    text = text.replace("KIND_AUTO", "KIND_CPU").replace("reshape: { shape: [ ] }", "")
    text = re.sub(r"max_batch_size: \d+", f"max_batch_size: {max_batch}", text) + "\n" + tensors
    for key, value in parameters.items():
        text += f'\nparameters {{ key: "{key}" value: {{ string_value: "{value}" }} }}'
    path.write_text(text + "\n")
