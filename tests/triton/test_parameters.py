"""What a model reads of its configuration, without Triton."""

import json

import pytest

from asr_triton.parameters import Parameters


def make(kind="CPU", idle=None, **values):
    config = {
        "max_batch_size": 64,
        "parameters": {name: {"string_value": text} for name, text in values.items()},
    }
    if idle is not None:
        config["sequence_batching"] = {"max_sequence_idle_microseconds": idle}
    return Parameters(
        {
            "model_name": "vad",
            "model_config": json.dumps(config),
            "model_instance_kind": kind,
            "model_instance_device_id": "1",
        }
    )


def test_numbers():
    parameters = make(max_sessions=" 1024", max_audio_seconds="0.5", nothing="0")
    assert parameters.integer("max_sessions") == 1024
    assert parameters.number("max_audio_seconds") == 0.5
    assert parameters.integer("nothing") == parameters.number("nothing") == 0


@pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "1e3", "²"])
def test_what_is_no_whole_number_is_named(text):
    with pytest.raises(ValueError, match=r"vad, parameter n: expected a whole number.*; got "):
        make(n=text).integer("n")


@pytest.mark.parametrize("text", ["", "-1", "nan", "inf", "half"])
def test_what_is_no_number_is_named(text):
    with pytest.raises(ValueError, match=f"vad, parameter n: expected a number.*; got '{text}'"):
        make(n=text).number("n")


def test_a_missing_parameter_is_named_with_those_that_are_there():
    with pytest.raises(ValueError, match="max_sessions: expected a value; got a, b"):
        make(b="1", a="2").integer("max_sessions")
    with pytest.raises(ValueError, match="max_sessions: expected a value; got no parameters"):
        make().number("max_sessions")


@pytest.mark.parametrize(
    ("kind", "device", "on_gpu"),
    [("GPU", "cuda:1", True), ("CPU", "cpu", False), ("MODEL", "cpu", False)],
)
def test_device(kind, device, on_gpu):
    parameters = make(kind)
    assert (parameters.device, parameters.on_gpu) == (device, on_gpu)


def test_configuration():
    parameters = make(idle="60000000")
    assert parameters.sequence_idle_s == 60
    assert parameters.max_batch_size == 64
    assert parameters.model_name == "vad"
    with pytest.raises(ValueError, match="vad: expected sequence_batching"):
        _ = make().sequence_idle_s
