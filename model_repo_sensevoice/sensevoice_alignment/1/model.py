"""Words and the frames of a recording to the words' times."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils
from numpy.typing import NDArray

from asr_core.alignment import AlignmentService, load_aligner
from asr_core.sensevoice import TOKENIZER_NAME
from asr_triton.answers import answer_each, read_inputs
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers each request by itself."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the tokenizer."""
        close_inherited_connections()
        parameters = Parameters(args)
        self.service = AlignmentService(
            load_aligner(Path(pb_utils.get_model_dir()) / TOKENIZER_NAME),
            max_audio_s=parameters.integer("max_audio_seconds"),
            max_words=parameters.integer("max_words"),
        )

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Align the text of each request."""
        return answer_each(requests, self.answer)

    def answer(self, request: Any) -> Mapping[str, NDArray[Any]]:
        """Return a request's answer; a ValueError says what is wrong with it."""
        return self.service.answer(read_inputs(request))
