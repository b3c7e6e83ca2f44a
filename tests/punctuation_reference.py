"""Random CT-Transformers, and texts for them."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

_RANDOM_MODELS = Path(__file__).parent / "data" / "random_models"
PUNCTUATION_MODELS = {path.name: path for path in sorted(_RANDOM_MODELS.glob("ct_transformer-*"))}
PUNCTUATION_ONLINE_MODELS = {
    path.name: path for path in sorted(_RANDOM_MODELS.glob("ct_transformer_streaming-*"))
}

# After English, the enumeration comma is written as a comma.
_FULL_WIDTH = str.maketrans({",": "，", ".": "。", "?": "？", "、": "，"})


def full_width(text: str) -> str:
    """Text as `funasr_onnx` writes it but for spaces: full-width marks, no capitals."""
    return text.translate(_FULL_WIDTH).lower().replace(" ", "")


def make_text(model_dir: Path, words: int, seed: int, english: float = 0.0) -> str:
    """Random words of a model's vocabulary and unknown ones, with a share of English runs."""
    rng = np.random.default_rng(seed)
    tokens = json.loads((model_dir / "tokens.json").read_text(encoding="utf-8"))[1:-1]
    latin = [token for token in tokens if token.isascii() and token.isalpha()]
    chinese = [token for token in tokens if not token.isascii()] + ["龘"]
    parts: list[str] = []
    while len(parts) < words:
        run = int(rng.integers(1, 9))
        source = latin if rng.random() < english else chinese
        parts += [str(word) for word in rng.choice(source, run)]
    text = ""
    for word in parts[:words]:
        text += f" {word}" if word.isascii() and text[-1:].isascii() else word
    return text
