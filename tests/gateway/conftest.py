"""One Triton with all models and one gateway in front of it, for the tests that need no other."""

from __future__ import annotations

import pytest

from tests.gateway.gateways import running_gateway
from tests.serving import EMBEDDED, RANDOM_MODELS, serve_models

# Where no model is embedded: a VAD that follows the level, and marks that mean nothing.
RANDOM = {
    "vad": RANDOM_MODELS / "fsmn_vad-tiny-seed0",
    "punctuation": RANDOM_MODELS / "ct_transformer-tiny-seed0",
}
UNUSED = {"punctuation_online"}


@pytest.fixture(scope="session")
def triton(tmp_path_factory):
    models = {name: path for name, path in {**RANDOM, **EMBEDDED}.items() if name not in UNUSED}
    with serve_models(tmp_path_factory.mktemp("gateway"), models) as server:
        yield server


@pytest.fixture(scope="session")
def triton_url(triton):
    return f"grpc://{triton.grpc_url}"


@pytest.fixture(scope="session")
def gateway(triton_url):
    with running_gateway(triton_url) as gateway:
        yield gateway
