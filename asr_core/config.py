"""A model's own settings, as FunASR writes them beside the weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from asr_contract.text_files import read_text


def load_config(model_dir: Path) -> dict[str, Any]:
    """Read `config.yaml`.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not a YAML mapping.
    """
    return read_config(model_dir / "config.yaml")


def read_config(path: Path) -> dict[str, Any]:
    """Read a file of settings, whatever its name.

    Raises:
        FileNotFoundError: there is none.
        ValueError: it is not a YAML mapping.
    """
    try:
        config = yaml.safe_load(read_text(path))
    except yaml.YAMLError as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{path}: expected YAML, got {reason}") from error
    except RecursionError:
        raise ValueError(f"{path}: expected YAML, got brackets within brackets") from None
    if not isinstance(config, dict):
        raise ValueError(f"{path}: expected a mapping, got {type(config).__name__}")
    return config
