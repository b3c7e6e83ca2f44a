"""Which processes of models count as lost, and which were unloaded by somebody."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from asr_server.run.installation import STUB_NAME
from asr_server.run.lost_instances import ModelInstances
from asr_server.run.processes import stub_processes

SESSION = os.getsid(0)


class Repository:
    """Processes that are named as Triton's stubs, and what Triton says of their models."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._states: dict[str, str] = {}

    def index(self) -> list[dict[str, str]]:
        return [{"name": name, "state": state} for name, state in self._states.items()]

    def load(self, model: str, instances: int = 1) -> None:
        self.unload(model)
        self._states[model] = "READY"
        for number in range(instances):
            self._run(f"{model}_0_{number}")

    def unload(self, model: str) -> None:
        self._states[model] = "UNAVAILABLE"
        for instance in [name for name in self._processes if name.startswith(model)]:
            self.kill(instance)

    def kill(self, instance: str) -> None:
        process = self._processes.pop(instance)
        process.kill()
        process.wait()

    def close(self) -> None:
        for instance in list(self._processes):
            self.kill(instance)

    def _run(self, instance: str) -> None:
        words = [STUB_NAME, "-c", "print(flush=True); input()", *["-"] * 5, instance]
        process = subprocess.Popen(
            words, executable=sys.executable, stdin=subprocess.PIPE, stdout=subprocess.PIPE
        )
        assert process.stdout is not None
        process.stdout.readline()  # it has its name
        self._processes[instance] = process


@pytest.fixture
def repository():
    repository = Repository()
    yield repository
    repository.close()


@pytest.fixture
def lost(repository):
    """What is lost; two models are there from the beginning."""
    repository.load("vad", instances=2)
    repository.load("scoring")
    instances = ModelInstances(SESSION)
    assert set(stub_processes(SESSION).values()) == {"vad_0_0", "vad_0_1", "scoring_0_0"}
    return lambda: instances.lost(stub_processes(SESSION).values(), repository)


def test_one_that_dies_is_lost_until_it_is_back(repository, lost):
    assert lost() == []
    repository.kill("vad_0_1")
    assert lost() == ["vad_0_1"]
    assert lost() == ["vad_0_1"]
    repository.load("vad", instances=2)
    assert lost() == []


def test_what_somebody_unloads_is_not_lost(repository, lost):
    repository.unload("scoring")
    assert lost() == []
    repository.load("scoring")
    assert lost() == []
    repository.kill("scoring_0_0")
    assert lost() == ["scoring_0_0"]


def test_one_that_dies_before_anybody_looked_is_lost(repository, lost):
    repository.unload("scoring")
    assert lost() == []
    repository.load("scoring")
    repository.kill("scoring_0_0")
    assert lost() == ["scoring_0_0"]


def test_a_model_that_comes_back_with_fewer_has_lost_none(repository, lost):
    repository.unload("vad")
    assert lost() == []
    repository.load("vad", instances=1)
    assert lost() == []
    repository.load("vad", instances=2)
    assert lost() == []
    repository.kill("vad_0_0")  # one of several: it is not taken for fewer again
    assert lost() == ["vad_0_0"]
