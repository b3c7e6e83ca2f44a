"""The speaker model on a real server: what the process gives, in any batch; refusals."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from asr_core.speakers import SPEAKER_ENCODER_OUTPUTS, SpeakerRequest, SpeakerService
from asr_server.graphs import prepare
from asr_server.graphs.session import Session
from lab.benchmark.server_statistics import read_statistics
from tests.recordings import cut
from tests.server_counters import wait_for_inferences
from tests.serving import EMBEDDED, wav_inputs


def unit(embeddings: np.ndarray) -> np.ndarray:
    return embeddings / np.linalg.norm(embeddings, axis=-1, keepdims=True)


def test_every_answer_is_that_of_the_recording_alone(triton_server, tmp_path):
    """Requests of one to three recordings of several lengths, from 8 clients at a time."""
    prepare(EMBEDDED["speaker"] / "model.onnx", tmp_path / "model.onnx")
    encode = Session(tmp_path / "model.onnx", 1, True).function(SPEAKER_ENCODER_OUTPUTS)
    rng = np.random.default_rng(5)
    requests = [
        [cut(float(rng.choice([1.0, 1.5, 1.5])), rng.uniform(0, 60)) for _ in range(size)]
        for size in rng.integers(1, 4, size=24)
    ]
    before = read_statistics(triton_server.server.http_url)
    with ThreadPoolExecutor(8) as pool:
        found = list(
            pool.map(
                lambda rows: triton_server.client.infer("speaker", wav_inputs(rows))["EMBEDDING"],
                requests,
            )
        )
    service = SpeakerService(60, 1)
    for rows, got in zip(requests, found, strict=True):
        inputs = wav_inputs(rows)
        (alone,) = service.answer([SpeakerRequest(inputs["WAV"], inputs["WAV_LENS"])], encode)
        assert np.abs(unit(got) - unit(alone)).max() < 1e-4
    encoder = wait_for_inferences(triton_server.server, before, "speaker_encoder", 24)
    assert encoder.mean_batch > 1.2


def test_what_is_too_short_is_refused_alone(triton_server):
    with pytest.raises(InferenceServerException, match=r"expected at least 0\.215 s of audio"):
        triton_server.client.infer("speaker", wav_inputs([cut(0.2, 0)]))
    got = triton_server.client.infer("speaker", wav_inputs([cut(0.3, 0)]))["EMBEDDING"]
    assert got.ndim == 2 and len(got) == 1 and np.isfinite(got).all()
