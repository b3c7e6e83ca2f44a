"""Whether Triton is told to take configurations as they are written."""

from __future__ import annotations

import pytest
from tritonclient.grpc import InferenceServerClient

from asr_server.models import KINDS
from asr_server.run import TritonServer
from asr_server.run.completion import AS_WRITTEN, completion_arguments
from tests import prepared_models
from tests.serving import EMBEDDED, READY_TIMEOUT_S

CONFIG = """# input [ ] of a model of somebody's own
name: "own"
backend: "python"
max_batch_size: 8
input [ { name: "x" data_type: TYPE_FP32 dims: [ 1 ] } ]
output [ { name: "y" data_type: TYPE_FP32 dims: [ 1 ] } ]
"""
MODEL = """
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        return [pb_utils.InferenceResponse([]) for _ in requests]
"""
COMPLETES = """
    @staticmethod
    def auto_complete_config(config):
        config.set_dynamic_batching()
        return config
"""


@pytest.fixture
def repository(tmp_path):
    """With a model of somebody's own."""
    version = tmp_path / "repository" / "own" / "1"
    version.mkdir(parents=True)
    (version / "model.py").write_text(MODEL)
    (version.parent / "config.pbtxt").write_text(CONFIG)
    return tmp_path / "repository"


@pytest.mark.parametrize("name", EMBEDDED)
def test_what_is_installed_is_complete(name, tmp_path):
    kind = KINDS[name]
    prepared_models.put(kind, kind.embedded, tmp_path)
    assert completion_arguments([tmp_path]) == [AS_WRITTEN]


@pytest.mark.parametrize("line", ["backend", "input", "output"])
def test_a_model_that_lacks_something_is_completed(repository, tmp_path, line):
    prepared_models.put(KINDS["vad"], EMBEDDED["vad"], tmp_path / "ours")
    assert completion_arguments([tmp_path / "ours", repository]) == [AS_WRITTEN]
    path = repository / "own" / "config.pbtxt"
    lines = [each for each in CONFIG.splitlines() if not each.startswith(line)]
    path.write_text("\n".join(lines))
    assert completion_arguments([tmp_path / "ours", repository]) == []
    path.unlink()
    assert completion_arguments([repository]) == []


def test_a_model_without_files_is_none(repository):
    (repository / "own" / "config.pbtxt").write_text('name: "own"\n')
    (repository / "own" / "1" / "model.py").unlink()
    assert completion_arguments([repository]) == [AS_WRITTEN]


def test_a_python_model_that_completes_itself_is_asked(repository, tmp_path):
    """And one that does not is served as it is written."""
    for addition, expected in (("", False), (COMPLETES, True)):
        (repository / "own" / "1" / "model.py").write_text(MODEL + addition)
        with TritonServer([repository], log=tmp_path / "log") as server:
            server.wait_ready(READY_TIMEOUT_S)
            assert (AS_WRITTEN not in server.command) == expected
            with InferenceServerClient(server.grpc_url) as client:
                config = client.get_model_config("own").config
            assert config.HasField("dynamic_batching") == expected
