"""Paraformer's token ids to text, words and times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_contract import requested_hotwords
from asr_core.decoding import repeat_left_out
from asr_core.paraformer import ParaformerOutputs, load_paraformer_decoder, load_scoring
from asr_core.text import join_words, pack_words
from asr_triton.answers import answer_each, read_inputs
from asr_triton.decoding import hotword_settings
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Scores each row of each request by itself."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the vocabulary, and what knows words; the extractor has their files."""
        close_inherited_connections()
        folder = Path(pb_utils.get_model_dir())
        extractor = folder.parents[1] / "paraformer_feature_extractor"
        self.scoring = load_scoring(folder)
        self.settings = hotword_settings(Parameters(args), extractor)
        self.decoder = load_paraformer_decoder(folder, self.settings, extractor / folder.name)

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Turn the encoder's outputs of each request into words."""
        return answer_each(requests, self.answer)

    def answer(self, request: Any) -> Mapping[str, NDArray[Any]]:
        """Return a request's answer; a ValueError says what is wrong with its hotwords."""
        hotwords = requested_hotwords(request.parameters())
        inputs = read_inputs(request)
        outputs = ParaformerOutputs(*(inputs[name] for name in ParaformerOutputs._fields))
        search = self.decoder.row_search(hotwords)
        rows = self.scoring.score_rows(outputs, inputs["speech_lengths"], search)
        # [rows], as FunASR's models answer; its clients join and decode the elements as they come
        texts = np.array([join_words(words) for words in rows], np.object_)
        left_out = inputs["hotwords_left_out"]  # by the encoder; the search may know them yet
        if self.settings.increment:
            left_out = repeat_left_out(self.decoder.left_out(hotwords), len(rows))
        return {"TRANSCRIPTS": texts, **pack_words(rows).outputs(), "HOTWORDS_LEFT_OUT": left_out}
