"""Files that others wrote, however deep and large, are refused in one sentence."""

from __future__ import annotations

import pytest

from asr_contract.text_files import read_json, read_text
from asr_core.config import read_config


@pytest.mark.parametrize("text", ["[" * 400_000, '{"a":' * 400_000])
def test_depth_is_bounded(tmp_path, text):
    path = tmp_path / "tokens.json"
    path.write_text(text)
    with pytest.raises(ValueError, match=r"tokens.json: expected at most 32 brackets within"):
        read_json(path)


@pytest.mark.parametrize("text", ["[" * 20_000, "a: " + "{b: " * 20_000])
def test_depth_of_yaml_is_bounded(tmp_path, text):
    path = tmp_path / "config.yaml"
    path.write_text(text)
    with pytest.raises(ValueError, match="expected YAML, got"):
        read_config(path)


def test_size_is_bounded(tmp_path):
    path = tmp_path / "config.yaml"
    with path.open("wb") as file:
        file.truncate(100 << 20)
    for read in (read_text, read_json, read_config):
        with pytest.raises(ValueError, match="expected text of at most"):
            read(path)
