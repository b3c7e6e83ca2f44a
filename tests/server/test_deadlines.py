"""What waits in a queue for longer than it says is dropped, before it costs anything."""

from __future__ import annotations

import numpy as np
import pytest
import tritonclient.grpc
from google.protobuf import text_format
from tritonclient.utils import InferenceServerException

from asr_client import Client, RequestTimeout
from asr_client.protocol import InferRequest
from asr_client.transport.grpc_messages import grpc_arguments
from asr_server.places import ROOT
from lab.benchmark.server_statistics import read_statistics, wait_for_difference
from tests.recordings import cut
from tests.serving import request_inputs

# Those that models ask: they say no time.
ASKED_BY_MODELS = {
    "vad_encoder",
    "punctuation_encoder",
    "punctuation_online_encoder",
    "speaker_encoder",
    "aligner_encoder",
    "streaming_encoder",
    "streaming_decoder",
}
TEXT = np.array([[b"a b c"]], object)
CASES = {
    "sensevoice": request_inputs("sensevoice", [cut(1.0, 0.0)]),
    "infer_pipeline": request_inputs("paraformer", [cut(1.0, 0.0)]),
    "punctuation": {"TEXT": TEXT},
    "punctuation_online": {"TEXT": TEXT},
}


def test_all_queues_that_clients_wait_in_know_a_time():
    queues = {}
    for path in ROOT.glob("model_repo_*/*/config.pbtxt"):
        config = tritonclient.grpc.model_config_pb2.ModelConfig()
        text_format.Parse(path.read_text(encoding="utf-8"), config)
        if config.HasField("dynamic_batching"):
            queues[config.name] = config.dynamic_batching.default_queue_policy
    waited_in = {name: policy for name, policy in queues.items() if name not in ASKED_BY_MODELS}
    assert len(queues) == len(ASKED_BY_MODELS) + len(waited_in) == 17
    for policy in waited_in.values():
        assert policy.timeout_action == policy.REJECT
        assert policy.allow_timeout_override
        assert policy.default_timeout_microseconds == 3_600_000_000  # only less overrides it


PARTS = ("feature_extractor", "encoder", "scoring")
COMPUTING = {
    "sensevoice": [f"sensevoice_{part}" for part in PARTS],
    "infer_pipeline": [f"paraformer_{part}" for part in PARTS],
}


@pytest.mark.parametrize("model", CASES)
def test_what_would_wait_too_long_is_not_computed(triton_server, model):
    arguments = grpc_arguments(InferRequest(model, CASES[model]), timeout_s=60)
    client, http_url = triton_server.client.grpc, triton_server.server.http_url
    before = read_statistics(http_url)
    client.infer(**arguments)
    with pytest.raises(InferenceServerException, match="Request timeout expired"):
        client.infer(**arguments | {"timeout": 1})
    client.infer(**arguments)
    names = COMPUTING.get(model, [model])
    done = wait_for_difference(http_url, before, names, 2)
    assert {done[name].inferences for name in names} == {2}


def test_the_sdk_says_that_the_time_was_over(triton_server, monkeypatch):
    monkeypatch.setattr("asr_client.transport.interface._LONGEST_S", 1e-6)
    with Client(triton_server.grpc_url) as client, pytest.raises(RequestTimeout):
        client.transcribe(cut(1.0, 0.0), sample_rate=16_000)
