"""Waveforms to features for SenseVoice's encoder; checks the prompt ids before they reach it."""

from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray

from asr_contract import refuse_hotwords, requested_hotwords
from asr_core.sensevoice import check_prompt_ids
from asr_triton.answers import answer_each, read
from asr_triton.feature_extraction import build_feature_service
from asr_triton.parameters import Parameters


class TritonPythonModel:
    """Answers each request by itself; batches form at the encoder."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Load the front end."""
        self.service = build_feature_service(Parameters(args))

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Extract the features of each request."""
        return answer_each(requests, self.answer)

    def answer(self, request: Any) -> Mapping[str, NDArray[Any]]:
        """Return a request's features and prompts; a ValueError says what is wrong with it."""
        refuse_hotwords(requested_hotwords(request.parameters()), "SenseVoice")
        waveforms = read(request, "WAV")
        prompt = {"language": read(request, "LANGUAGE"), "textnorm": read(request, "TEXT_NORM")}
        check_prompt_ids(prompt["language"], prompt["textnorm"], len(waveforms))
        return {**self.service.answer(waveforms, read(request, "WAV_LENS")), **prompt}
