"""What the doors take for an inference request, without a server."""

from __future__ import annotations

import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from asr_server.doors.infer_body import rewritten
from asr_server.doors.tensors import ELEMENT_BYTES, MAX_DIMENSIONS, Refused
from tests.hostile_requests import BODIES


def tensor(**fields):
    return {"name": "WAV", "shape": [1, 2], "datatype": "FP32", "data": [1, 2.5], **fields}


def body(*tensors, **fields) -> bytes:
    return json.dumps({"inputs": list(tensors), **fields}).encode()


def read(request: bytes, header_length: int | None = None):
    """The rewritten JSON and the bytes behind it."""
    text, length = rewritten(request, header_length)
    return json.loads(text[:length]), text[length:]


def test_numbers_become_bytes():
    header, data = read(body(tensor()))
    assert data == struct.pack("<2f", 1, 2.5)
    assert header == {
        "inputs": [
            {
                "name": "WAV",
                "datatype": "FP32",
                "shape": [1, 2],
                "parameters": {"binary_data_size": 8},
            }
        ]
    }
    assert read(body(tensor(data=[[1, 2.5]])))[1] == data  # nested as its shape


def test_bytes_stay_as_they_are():
    binary = tensor(parameters={"binary_data_size": 8, "own": 1})
    del binary["data"]
    text = body(binary, id="7", parameters={"sequence_id": 2**64 - 1}, outputs=[{"name": "TEXT"}])
    header, data = read(text + bytes(range(8)), len(text))
    assert data == bytes(range(8))
    assert header["id"] == "7"
    assert header["parameters"] == {"sequence_id": 2**64 - 1}
    assert header["outputs"] == [{"name": "TEXT"}]
    assert header["inputs"][0]["parameters"] == {"binary_data_size": 8, "own": 1}


def test_strings():
    header, data = read(body(tensor(datatype="BYTES", shape=[2], data=["é", ""])))
    assert data == b"\x02\x00\x00\x00\xc3\xa9\x00\x00\x00\x00"
    assert header["inputs"][0]["parameters"] == {"binary_data_size": 10}


@pytest.mark.parametrize("name", BODIES)
def test_what_killed_is_refused(name):
    with pytest.raises(Refused):
        rewritten(BODIES[name], None)


@pytest.mark.parametrize(
    "request_body",
    [
        b"",
        b"null",
        b"[1]",
        b"{}",
        b'{"inputs": {}}',
        b'{"inputs": [1]}',
        b'{"inputs": [{"name": "x"}]}',
        b"\xff\xfe",
        body(tensor(shape=[1, True])),
        body(tensor(shape=[1.0, 2])),
        body(tensor(shape=["1", 2])),
        body(tensor(shape=[-1, -2])),
        body(tensor(shape=[1] * 9)),
        body(tensor(datatype="FP31")),
        body(tensor(datatype="INT8", data=[1, 128])),
        body(tensor(datatype="INT32", data=[1, 2.5])),
        body(tensor(datatype="BOOL")),
        body(tensor(data=[True, False])),
        body(tensor(data=["1", "2"])),
        body(tensor(data=[[1], 2])),
        body(tensor(data={"a": 1})),
        body(tensor(datatype="BYTES", data=[1, 2])),
        body(tensor(name="")),
        body(tensor(name="x" * 1000)),
        body(tensor(parameters={"binary_data_size": 8})),
        body(tensor(parameters={"a": [1]})),
        body(tensor(parameters={"a": 2**70})),
        body(tensor(parameters={"shared_memory_offset": 1})),
        body(tensor(), parameters={"classification": 1}),
        body(tensor(), outputs=[{"name": "TEXT", "parameters": {"classification": 1}}]),
        body(tensor(), outputs=[{}]),
        body(*[tensor()] * 33),
        body(tensor()) + b"more",
        b'{"inputs": [{"name":"WAV","shape":[1],"datatype":"FP32","data":[NaN]}]} x',
    ],
)
def test_what_makes_no_sense_is_refused(request_body):
    with pytest.raises(Refused):
        rewritten(request_body, None)


sizes = st.integers(-1, 4) | st.sampled_from([1 << 31, 1 << 62, (1 << 61) + 1, 1 << 64])
anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner),
)
tensors = st.fixed_dictionaries(
    {
        "name": st.text(max_size=3) | anything,
        "shape": st.lists(sizes, max_size=MAX_DIMENSIONS + 1) | anything,
        "datatype": st.sampled_from([*ELEMENT_BYTES, "BYTES", "FP8"]) | anything,
    },
    optional={
        "data": st.lists(st.integers(-300, 300) | st.floats(), max_size=16) | anything,
        "parameters": st.dictionaries(st.just("binary_data_size") | st.text(max_size=5), sizes),
    },
)


@given(st.lists(tensors, max_size=3), st.binary(max_size=64))
def test_whatever_comes_is_refused_or_fits(inputs, behind):
    """What goes on to Triton has exactly the bytes that its shapes say."""
    text = json.dumps({"inputs": inputs}).encode()
    try:
        header, data = read(text + behind, len(text))
    except Refused:
        return
    for entry in header["inputs"]:
        size = entry["parameters"]["binary_data_size"]
        mine, data = data[:size], data[size:]
        count = math.prod(entry["shape"])
        if entry["datatype"] != "BYTES":
            assert len(mine) == size == count * ELEMENT_BYTES[entry["datatype"]]
            continue
        for _ in range(count):
            mine = mine[4 + int.from_bytes(mine[:4], "little") :]
        assert not mine
    assert not data
