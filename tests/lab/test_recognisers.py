"""The recognisers of `evaluate` run a graph once for the same recording."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from asr_server.places import EMBEDDED_MODELS
from lab.training.evaluate import Transcriber, error_rate
from lab.training.evaluate_hotwords import recognisers
from lab.training.heldout_sets import TestUtterance
from lab.training.recognisers import remembering
from tests.recordings import heldout


@pytest.fixture
def counted():
    """A graph that doubles its inputs and counts its runs, and the same remembering."""
    runs = []

    def graph(**inputs):
        runs.append(inputs)
        return [2 * each for each in inputs.values()]

    return runs, remembering(graph)


def test_the_same_inputs_run_once(counted):
    runs, graph = counted
    first = graph(a=np.arange(4), b=np.ones(2))
    again = graph(a=np.arange(4), b=np.ones(2))
    assert len(runs) == 1
    assert [each.tolist() for each in again] == [each.tolist() for each in first]


@pytest.mark.parametrize(
    "other",
    [
        {"a": np.arange(1, 5), "b": np.ones(2)},
        {"a": np.arange(4).reshape(2, 2), "b": np.ones(2)},
        {"b": np.arange(4), "a": np.ones(2)},
    ],
    ids=["values", "shape", "names"],
)
def test_other_inputs_run_again(counted, other):
    runs, graph = counted
    graph(a=np.arange(4), b=np.ones(2))
    graph(**other)
    assert len(runs) == 2


def test_what_is_remembered_cannot_be_changed(counted):
    (output,) = counted[1](a=np.arange(4))
    with pytest.raises(ValueError, match="read-only"):
        output += 1


@pytest.mark.parametrize("name", ["paraformer", "paraformer_online", "sensevoice"])
def test_a_second_recogniser_hears_what_the_first_heard(name):
    load = recognisers(EMBEDDED_MODELS)[name]
    samples = next(samples for language, text, samples in heldout() if language == "zh" and text)
    first = load()(samples, "")
    assert first
    assert load()(samples, "") == first


def test_an_utterance_is_heard_once_in_each_condition(monkeypatch):
    heard = []
    monkeypatch.setattr(TestUtterance, "waveform", lambda self, condition: (self.index, condition))
    one = [TestUtterance(Path("set"), index, {"spoken": "好"}) for index in (0, 1)]
    transcriber = Transcriber(lambda waveform: heard.append(waveform) or "好")
    for condition in ("clean", "noisy", "clean", "noisy"):
        assert error_rate(one, condition, transcriber) == 0
    assert heard == [(i, c) for c in ("clean", "noisy") for i in (0, 1)]
