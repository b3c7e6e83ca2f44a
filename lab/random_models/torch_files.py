"""What FunASR's `AutoModel` reads beside `config.yaml`: the weights, and which file is which."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch


def write_torch_files(folder: Path, weights: Mapping[str, torch.Tensor], name: str) -> None:
    """Write the checkpoint and `configuration.json`.

    Args:
        folder: holds the model's tables already.
        weights: by their names in FunASR's model.
        name: of the checkpoint.
    """
    torch.save({name: value.detach() for name, value in weights.items()}, folder / name)
    content = {
        "framework": "pytorch",
        "model": {"type": "funasr"},
        "file_path_metas": {
            "init_param": name,
            "config": "config.yaml",
            **_tables(folder),
        },
    }
    text = json.dumps(content, indent=2) + "\n"
    (folder / "configuration.json").write_text(text, encoding="utf-8")


def _tables(folder: Path) -> dict[str, Any]:
    """The tables that are there, under the settings by which FunASR's classes ask for them."""
    tables: dict[str, Any] = {}
    if (folder / "am.mvn").exists():
        tables["frontend_conf"] = {"cmvn_file": "am.mvn"}
    if (folder / "tokens.json").exists():
        tables["tokenizer_conf"] = {"token_list": "tokens.json"}
    for path in folder.glob("*.bpe.model"):
        tables["tokenizer_conf"] = {"bpemodel": path.name}
    return tables
