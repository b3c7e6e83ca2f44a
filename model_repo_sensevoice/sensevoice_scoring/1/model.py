"""SenseVoice's best token ids to tags, text, words and times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils

from asr_core.sensevoice import TOKENIZER_NAME, SenseVoiceOutputs, SenseVoiceScoring
from asr_core.text import pack_words
from asr_triton.answers import read_inputs, respond

TEXT_OUTPUTS = {
    "TEXT": "text",
    "DETECTED_LANGUAGE": "language",
    "EMOTION": "emotion",
    "EVENT": "event",
}


class TritonPythonModel:
    """Scores each row of each request by itself."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the tokenizer."""
        self.scoring = SenseVoiceScoring(Path(pb_utils.get_model_dir()) / TOKENIZER_NAME)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Turn the encoder's outputs of each request into tags, text and words."""
        return [self.answer(request) for request in requests]

    def answer(self, request: Any) -> Any:
        """Return a request's response."""
        inputs = read_inputs(request)
        outputs = SenseVoiceOutputs(*(inputs[name] for name in SenseVoiceOutputs._fields))
        results = self.scoring.score_rows(outputs)
        texts = {
            name: np.array([[getattr(result, field)] for result in results], np.object_)
            for name, field in TEXT_OUTPUTS.items()
        }
        # [rows], as FunASR's models answer; its clients join and decode the elements as they come
        transcripts = np.array([result.transcript for result in results], np.object_)
        return respond(
            {
                "TRANSCRIPTS": transcripts,
                **texts,
                **pack_words([result.words for result in results]).outputs(),
            }
        )
