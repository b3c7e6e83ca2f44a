"""From waveforms to transcripts: a model is looked up once, and in the time of the request."""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from asr_client import ProtocolError
from asr_client.protocol import InferRequest, ModelMetadata
from asr_client.recognition import RecognitionOptions, RemoteRecogniser

SILENCE = np.zeros(160, np.float32)
RECOGNISER = ModelMetadata(frozenset({"WAV", "WAV_LENS"}), frozenset({"TRANSCRIPTS"}))


class Transport:
    """Answers each request with its model's name; a look-up takes `delay_s`."""

    def __init__(self, metadata: ModelMetadata = RECOGNISER, delay_s: float = 0.0) -> None:
        self._metadata = metadata
        self._delay_s = delay_s
        self.looked_up: list[str] = []
        self.timeouts_s: list[float] = []

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        self.looked_up.append(name)
        await asyncio.sleep(self._delay_s)
        return self._metadata

    async def infer(self, request: InferRequest, timeout_s: float):
        self.timeouts_s.append(timeout_s)
        rows = len(request.inputs["WAV"])
        return {"TRANSCRIPTS": np.array([[request.model_name.encode()]] * rows, np.object_)}


def recognise(transport: Transport, *models: str, timeout_s: float = 60.0) -> list[str]:
    async def run():
        recogniser = RemoteRecogniser(transport)
        texts = []
        for model in models:
            options = RecognitionOptions(model)
            texts += [t.text for t in await recogniser.recognise([SILENCE], options, timeout_s)]
        return texts

    return asyncio.run(run())


def test_a_model_that_is_not_known_is_looked_up_once():
    transport = Transport()
    texts = recognise(transport, "paraformer", "mine", "mine", "sensevoice", "other")
    assert texts == ["infer_pipeline", "mine", "mine", "sensevoice", "other"]
    assert transport.looked_up == ["mine", "other"]


def test_looking_up_counts_against_the_timeout_of_the_request():
    transport = Transport(delay_s=0.2)
    recognise(transport, "mine", "mine", timeout_s=60.0)
    first_s, second_s = transport.timeouts_s
    assert first_s <= 59.8
    assert second_s > 59.8


def test_what_is_no_recogniser_is_refused():
    transport = Transport(ModelMetadata(frozenset({"X"}), frozenset({"Y"})))
    with pytest.raises(ProtocolError, match="'mine'"):
        recognise(transport, "mine")
    assert not transport.timeouts_s
