"""What a real server runs before a model is ready."""

from __future__ import annotations

import re

import pytest

from asr_server.models import KINDS
from asr_server.run import TritonServer, TritonServerError
from tests.serving import EMBEDDED, READY_TIMEOUT_S, install_models


def test_every_graph_is_run_before_it_is_ready(triton_server):
    for kind in map(KINDS.__getitem__, EMBEDDED):
        for graph in kind.graphs:
            config = triton_server.client.grpc.get_model_config(graph.model).config
            (sample,) = config.model_warmup
            assert {each.name for each in config.input} == set(sample.inputs)


def test_a_warm_up_of_another_model_is_refused_before_it_is_run(tmp_path):
    """As where a graph was put there by hand. A run that fails could end the server."""
    (repository,) = install_models(tmp_path, {"vad": EMBEDDED["vad"]})
    path = repository / KINDS["vad"].encoder / "config.pbtxt"
    text = path.read_text()
    damaged = re.sub(r"dims: \[ 4, \d+, 19 \]", "dims: [ 4, 7, 19 ]", text)
    assert damaged != text
    path.write_text(damaged)
    log = tmp_path / "server.log"
    with (
        TritonServer([repository], log=log) as server,
        pytest.raises(TritonServerError, match="model_warmup of input 'cache': expected dims"),
    ):
        server.wait_ready(READY_TIMEOUT_S)
