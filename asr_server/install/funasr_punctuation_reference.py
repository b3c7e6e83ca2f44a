"""Where `funasr_onnx` sets marks in a text."""

from __future__ import annotations

from pathlib import Path

from funasr_onnx import CT_Transformer
from funasr_onnx.punc_bin import CT_Transformer_VadRealtime


class PunctuationReference:
    """`funasr_onnx.CT_Transformer`."""

    def __init__(self, model_dir: Path, quantized: bool = False) -> None:
        self._model = CT_Transformer(str(model_dir), quantize=quantized, intra_op_num_threads=1)

    def punctuate(self, text: str) -> tuple[str, list[int]]:
        """Return text with marks, and the id of the mark after each word."""
        marked: tuple[str, list[int]] = self._model(text)
        return marked


class PunctuationOnlineReference:
    """`funasr_onnx.CT_Transformer_VadRealtime`, one stream."""

    def __init__(self, model_dir: Path, quantized: bool = False) -> None:
        self._model = CT_Transformer_VadRealtime(
            str(model_dir), quantize=quantized, intra_op_num_threads=1
        )
        self._state: dict[str, list[str]] = {"cache": []}

    def reset(self) -> None:
        """Begin a new stream."""
        self._state = {"cache": []}

    def punctuate(self, text: str) -> tuple[str, list[str], list[str]]:
        """Return text with marks, the marks (`_` for none), and the words to continue."""
        text, marks, cache = self._model(text, self._state)
        return text, marks, [word.strip() for word in cache]
