"""SenseVoice's best token ids to tags, text, words and times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_contract import requested_hotwords
from asr_core.decoding import repeat_left_out
from asr_core.sensevoice import TOKENIZER_NAME, SenseVoiceOutputs, SenseVoiceScoring
from asr_core.text import pack_words
from asr_triton.answers import answer_each, read_inputs
from asr_triton.decoding import hotword_settings
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters

TEXT_OUTPUTS = {
    "TEXT": "text",
    "DETECTED_LANGUAGE": "language",
    "EMOTION": "emotion",
    "EVENT": "event",
}


class TritonPythonModel:
    """Scores each row of each request by itself."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the tokenizer, and what knows words."""
        close_inherited_connections()
        folder = Path(pb_utils.get_model_dir())
        self.scoring = SenseVoiceScoring(folder / TOKENIZER_NAME)
        self.decoder = self.scoring.decoder(folder, hotword_settings(Parameters(args)))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Turn the encoder's outputs of each request into tags, text and words."""
        return answer_each(requests, self.answer)

    def answer(self, request: Any) -> Mapping[str, NDArray[Any]]:
        """Return a request's answer; a ValueError says what is wrong with its hotwords."""
        hotwords = requested_hotwords(request.parameters())
        inputs = read_inputs(request)
        outputs = SenseVoiceOutputs(*(inputs[name] for name in SenseVoiceOutputs._fields))
        results = self.scoring.score_rows(outputs, self.decoder.row_search(hotwords))
        texts = {
            name: np.array([[getattr(result, field)] for result in results], np.object_)
            for name, field in TEXT_OUTPUTS.items()
        }
        # [rows], as FunASR's models answer; its clients join and decode the elements as they come
        transcripts = np.array([result.transcript for result in results], np.object_)
        return {
            "TRANSCRIPTS": transcripts,
            **texts,
            **pack_words([result.words for result in results]).outputs(),
            "HOTWORDS_LEFT_OUT": repeat_left_out(self.decoder.left_out(hotwords), len(results)),
        }
