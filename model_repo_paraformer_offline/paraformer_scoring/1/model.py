"""Paraformer's token ids to text, words and times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.paraformer import ParaformerOutputs, load_scoring
from asr_core.text import join_words, pack_words
from asr_triton.answers import read_inputs, respond


class TritonPythonModel:
    """Scores each row of each request by itself."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the vocabulary."""
        self.scoring = load_scoring(Path(pb_utils.get_model_dir()))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Turn the encoder's outputs of each request into words."""
        return [self.answer(request) for request in requests]

    def answer(self, request: Any) -> Any:
        """Return a request's response."""
        inputs = read_inputs(request)
        outputs = ParaformerOutputs(*(inputs[name] for name in ParaformerOutputs._fields))
        rows = self.scoring.score_rows(outputs, inputs["speech_lengths"])
        # [rows], as FunASR's models answer; its clients join and decode the elements as they come
        texts = np.array([join_words(words) for words in rows], np.object_)
        return respond({"TRANSCRIPTS": texts, **pack_words(rows).outputs()})
