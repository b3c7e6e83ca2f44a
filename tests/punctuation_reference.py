"""An exported CT-Transformer behind the interface of `asr_core.punctuation`, and texts for it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime

from asr_core.punctuation import load_punctuation

_RANDOM_MODELS = Path(__file__).parent / "data" / "random_models"
PUNCTUATION_MODELS = {path.name: path for path in sorted(_RANDOM_MODELS.glob("ct_transformer-*"))}
PUNCTUATION_ONLINE_MODELS = {
    path.name: path for path in sorted(_RANDOM_MODELS.glob("ct_transformer_streaming-*"))
}

# After English, the enumeration comma is written as a comma.
_FULL_WIDTH = str.maketrans({",": "，", ".": "。", "?": "？", "、": "，"})


class ExportedPunctuation:
    """An export's own graph as `asr_core.punctuation.Tagger`: every row alone, without padding."""

    def __init__(self, model_dir: Path) -> None:
        self.model = load_punctuation(model_dir)
        self.calls = 0
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._session = onnxruntime.InferenceSession(str(model_dir / "model.onnx"), options)
        self._inputs = {value.name for value in self._session.get_inputs()}

    def __call__(
        self, word_ids: np.ndarray, word_lengths: np.ndarray, vad_indexes: np.ndarray
    ) -> np.ndarray:
        """`Tagger`."""
        self.calls += 1
        marks = np.zeros_like(word_ids)
        for row, size in enumerate(word_lengths[:, 0].tolist()):
            pause = int(vad_indexes[row, 0])
            vad_mask = np.ones((size, size), np.float32)
            if 0 < pause < size:
                vad_mask[: pause - 1, pause:] = 0
            feed = {
                "inputs": word_ids[row : row + 1, :size],
                "text_lengths": np.array([size], np.int32),
                "vad_masks": vad_mask[None, None],
                "sub_masks": vad_mask[None, None],
            }
            (logits,) = self._session.run(None, {name: feed[name] for name in self._inputs})
            marks[row, :size] = logits[0].argmax(axis=-1)
        return marks


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
