"""Queues of Triton know no policy: with one, release 24.10 stands still while requests wait."""

from __future__ import annotations

import tritonclient.grpc
from google.protobuf import text_format

from asr_server.places import ROOT


def test_no_queue_has_a_policy():
    """Of whatever kind: its batcher misses that it may go on, and looks again after 0.5 s."""
    queues = {}
    for path in ROOT.glob("model_repo_*/*/config.pbtxt"):
        config = tritonclient.grpc.model_config_pb2.ModelConfig()
        text_format.Parse(path.read_text(encoding="utf-8"), config)
        if config.HasField("dynamic_batching"):
            queues[config.name] = config.dynamic_batching
    assert len(queues) == 17
    for queue in queues.values():
        assert not queue.HasField("default_queue_policy")
        assert not queue.priority_queue_policy
        assert not queue.priority_levels
