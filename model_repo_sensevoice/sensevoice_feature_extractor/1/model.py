"""Waveforms to features for SenseVoice's encoder; checks the prompt ids before they reach it."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from asr_core.sensevoice import check_prompt_ids
from asr_triton.answers import answer_each, read_inputs
from asr_triton.feature_extraction import build_feature_service
from asr_triton.inherited import close_inherited_connections
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers each request by itself; batches form at the encoder."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the front end."""
        close_inherited_connections()
        self.service = build_feature_service(Parameters(args))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Extract the features of each request."""
        return answer_each(requests, self.answer)

    def answer(self, request: Any) -> Mapping[str, NDArray[Any]]:
        """Return a request's features; a ValueError says what is wrong with it."""
        inputs = read_inputs(request)
        check_prompt_ids(inputs["LANGUAGE"], inputs["TEXT_NORM"], len(inputs["WAV"]))
        return self.service.answer(inputs["WAV"], inputs["WAV_LENS"])
