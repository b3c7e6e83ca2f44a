"""A Python stub that dies: the SDK says so at once, and the server reports it or recovers."""

from __future__ import annotations

import time

import psutil
import pytest

from asr_client import AsrError, Client
from tests.recordings import cut
from tests.serving import EMBEDDED, serve_models

CALL_TIMEOUT_S = 15
RECOVERY_TIMEOUT_S = 60


@pytest.mark.parametrize(
    "model", ["paraformer_feature_extractor", "paraformer_encoder", "paraformer_scoring"]
)
def test_a_killed_stub_is_noticed(tmp_path, model):
    with (
        serve_models(tmp_path, {"paraformer": EMBEDDED["paraformer"]}) as server,
        Client(f"grpc://{server.grpc_url}", timeout_s=CALL_TIMEOUT_S) as client,
    ):
        samples = cut(2.0, 1.0)
        before = client.transcribe(samples, model="paraformer", sample_rate=16_000)
        stub_of(server, model).kill()
        begun = time.monotonic()
        while time.monotonic() - begun < RECOVERY_TIMEOUT_S:
            called = time.monotonic()
            try:
                after = client.transcribe(samples, model="paraformer", sample_rate=16_000)
            except AsrError:
                assert time.monotonic() - called < CALL_TIMEOUT_S + 2
                if not client.is_ready("paraformer"):
                    return  # reported as not ready
            else:
                assert after.text == before.text
                return  # recovered
        raise AssertionError("calls go on failing while the server says it is ready")


def stub_of(server, model):
    """The stub process that runs a model."""
    for child in psutil.Process(server.pid).children(recursive=True):
        if any(f"/{model}/" in word for word in child.cmdline()):
            return child
    raise AssertionError(f"no stub runs {model}")
