"""What `funasr_onnx` says of a recording, without dither.

The reference that an installed model is verified against, and that of the parity tests.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from funasr_onnx import ContextualParaformer, Paraformer, SenseVoiceSmall
from funasr_onnx.paraformer_online_bin import Paraformer as StreamingParaformer
from funasr_onnx.utils.postprocess_utils import sentence_postprocess
from numpy.typing import NDArray

from asr_core.features import Waveform
from asr_server.install.installed import PIECE_SAMPLES, SHORTEST_LAST_PIECE

# Tokens that FunASR drops from the text, but not their times, which other words then get.
DROPPED = {"<s>", "<unk>"}
FIRE_THRESHOLD = 1 - 1e-4


def end_loose_pieces(pieces: list[str]) -> list[str]:
    """End each `@@` piece that no letters follow; FunASR loses it or glues it to a later one."""
    words = [piece for piece in pieces if piece not in DROPPED]
    if not words:
        return []
    return [
        piece
        if following.removesuffix("@@").replace("'", "").isascii() and following[0].isalpha()
        else piece.removesuffix("@@")
        for piece, following in zip(words, [*words[1:], "。"], strict=True)
    ]


class ParaformerReference:
    """`funasr_onnx.Paraformer` on an exported model; `quantized` takes its int8 graph.

    On one with hotwords it is `ContextualParaformer`, which `SeacoParaformer` differs from in its
    name only.
    """

    def __init__(self, model_dir: Path, threads: int = 1, quantized: bool = False) -> None:
        self.takes_hotwords = any(model_dir.glob("model_eb*.onnx"))
        model_class = ContextualParaformer if self.takes_hotwords else Paraformer
        self._model = model_class(str(model_dir), quantize=quantized, intra_op_num_threads=threads)
        self._model.frontend.opts.frame_opts.dither = 0.0

    def _infer(self, samples: Waveform, hotwords: str) -> list[NDArray[Any]]:
        features = self._model.extract_feat([samples])
        if not self.takes_hotwords:
            outputs: list[NDArray[Any]] = self._model.infer(*features)
            return outputs
        words, last = self._model.proc_hotword(hotwords)
        (states,) = self._model.eb_infer(words, last)
        bias_embed = states.transpose(1, 0, 2)[np.arange(len(words)), last]
        if not hotwords:  # the empty string has become a hotword without characters
            bias_embed = bias_embed[1:]
        outputs = self._model.bb_infer(*features, bias_embed[None])
        return outputs

    def text_and_times(
        self, samples: Waveform, hotwords: str = ""
    ) -> tuple[str, NDArray[np.float64] | None]:
        """Return text, and [words, 2] times in ms; None where FunASR has no sound ones.

        Args:
            samples: one recording.
            hotwords: with spaces between them; only for a model that takes them.
        """
        outputs = self._infer(samples, hotwords)
        (pieces,) = self._model.decode(outputs[0], outputs[1])
        words = end_loose_pieces(pieces)
        if not words:
            return "", None
        text = sentence_postprocess(words)[0]
        if len(outputs) != 4:
            return text, None
        # Where the number of fires does not fit, FunASR stops with an assertion. Where a step of
        # 20 ms weighs more than one token, which only random weights do, it fires in the next
        # step again; the prepared graph, an integral without a loop, fires once.
        weights, integrals = outputs[2][0], outputs[3][0]
        fires = (integrals > FIRE_THRESHOLD).sum()
        if weights.max() > 1:
            return text, None
        if fires != len(pieces) + 1 or words != pieces:
            return text, None
        arguments = (samples, hotwords) if self.takes_hotwords else (samples,)
        if self.takes_hotwords and not hotwords:  # which its own call cannot say
            return text, None
        return text, np.clip(self._model(*arguments)[0]["timestamp"], 0, None)


class SenseVoiceReference:
    """`funasr_onnx.SenseVoiceSmall` on an exported model."""

    def __init__(self, model_dir: Path, threads: int = 1, quantized: bool = False) -> None:
        self._model = SenseVoiceSmall(
            str(model_dir), quantize=quantized, intra_op_num_threads=threads
        )
        self._model.frontend.opts.frame_opts.dither = 0.0

    def text(self, samples: Waveform, language: str, text_norm: str) -> str:
        """Return text with tags."""
        text: str = self._model(samples, language=language, textnorm=text_norm)[0]
        return text


class StreamingReference:
    """`funasr_onnx.paraformer_online_bin.Paraformer` on an exported model, 600 ms at a time."""

    def __init__(self, model_dir: Path, threads: int = 1, quantized: bool = False) -> None:
        self.model = StreamingParaformer(
            str(model_dir), quantize=quantized, intra_op_num_threads=threads
        )
        self.model.frontend.opts.frame_opts.dither = 0.0
        self._decode = self.model.decode
        self.model.decode = self._collect
        self._pieces: list[str] = []

    def _collect(self, scores: NDArray[Any], token_nums: NDArray[Any]) -> list[list[str]]:
        decoded: list[list[str]] = self._decode(scores, token_nums)
        self._pieces += decoded[0]
        return decoded

    def text(self, samples: Waveform) -> str:
        """Return the text of a whole recording, whose last piece must not be too short for it."""
        last = (len(samples) - 1) % PIECE_SAMPLES + 1
        if last < SHORTEST_LAST_PIECE:
            raise ValueError(f"the reference drops a last piece of {last} samples")
        self._pieces = []
        self.model.frontend.cache_reset()
        cache: dict[str, Any] = {}
        for start in range(0, len(samples), PIECE_SAMPLES):
            is_final = start + PIECE_SAMPLES >= len(samples)
            piece = samples[start : start + PIECE_SAMPLES]
            self.model(piece, param_dict={"cache": cache, "is_final": is_final})
        words = end_loose_pieces(self._pieces)
        if not words:
            return ""
        text: str = sentence_postprocess(words)[0]
        return text
