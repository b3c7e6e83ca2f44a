"""The body of a KServe inference request over HTTP, read and written anew.

A body is JSON, and behind it the bytes of those tensors that say `binary_data_size`. What goes to
Triton holds only what was checked here, with every tensor as bytes: Triton's own reading of
numbers in JSON allocates what a shape claims, and its recursion knows no bound.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Mapping
from typing import Any

from asr_contract.bounded_json import parse_json
from asr_server.doors.tensors import (
    MAX_DIMENSIONS,
    MAX_NAME,
    MAX_TENSORS,
    STRINGS,
    Refused,
    check_bytes,
    check_count,
    check_parameter,
    shown,
)

MAX_JSON_BYTES = 8 << 20
"""30 s of audio as numbers in JSON are 5 MB."""

_STRUCT_CODES = {
    "BOOL": "?",
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP32": "f",
    "FP64": "d",
}


def rewritten(body: bytes, header_length: int | None) -> tuple[bytes, int]:
    """Return a checked request as Triton gets it.

    Args:
        body: what a client sent.
        header_length: of the JSON at its start; None if it is all JSON.

    Returns:
        the body, and the length of its JSON.

    Raises:
        Refused: it is no inference request, or one that is not open to clients.
    """
    length = len(body) if header_length is None else header_length
    if length > len(body):
        raise Refused(f"Inference-Header-Content-Length: {length} in a body of {len(body)} bytes")
    request = _parsed(body[:length])
    tensors = memoryview(body)[length:]
    inputs, parts = [], []
    for entry in _list(request, "inputs"):
        described, data, tensors = _input(entry, tensors)
        inputs.append(described)
        parts.append(data)
    if len(tensors):
        raise Refused(f"expected no bytes behind those of the inputs; got {len(tensors)}")
    header: dict[str, Any] = {"inputs": inputs}
    if request.get("id", "") != "":
        header["id"] = _text(request["id"], "id")
    if parameters := _parameters(request, "request"):
        header["parameters"] = parameters
    if "outputs" in request:
        header["outputs"] = [_output(entry) for entry in _list(request, "outputs")]
    text = json.dumps(header, allow_nan=False).encode()
    return b"".join([text, *parts]), len(text)


def _parsed(text: bytes) -> Mapping[str, Any]:
    if len(text) > MAX_JSON_BYTES:
        raise Refused(
            f"expected at most {MAX_JSON_BYTES} bytes of JSON; got {len(text)} (send tensors as "
            "binary data)"
        )
    try:
        request = parse_json(text)
    except json.JSONDecodeError:
        raise Refused("expected a JSON object; it cannot be parsed") from None
    except ValueError as error:
        raise Refused(f"expected a JSON object; {error}") from None
    if not isinstance(request, dict):
        raise Refused("expected a JSON object; got another value")
    return request


def _input(entry: Any, tensors: memoryview) -> tuple[dict[str, Any], Any, memoryview]:
    """Return the description of an input, its bytes, and what is left of the bytes."""
    name, datatype, shape = _described(entry)
    parameters = _parameters(entry, name)
    size = parameters.pop("binary_data_size", None)
    data: bytes | memoryview
    if size is None:
        data = _packed(name, datatype, shape, entry.get("data"))
    else:
        if not _is_count(size) or size > len(tensors) or "data" in entry:
            raise Refused(
                f"{shown(name)}: expected `data`, or a binary_data_size that is there; "
                f"{len(tensors)} bytes are left"
            )
        data, tensors = tensors[:size], tensors[size:]
        check_bytes(name, datatype, shape, data)
    described: dict[str, Any] = {"name": name, "datatype": datatype, "shape": shape}
    described["parameters"] = parameters | {"binary_data_size": len(data)}
    return described, data, tensors


def _described(entry: Any) -> tuple[str, str, list[int]]:
    if not isinstance(entry, dict):
        raise Refused("inputs: expected objects with name, datatype, shape and data")
    name = _text(entry.get("name"), "name of an input")
    datatype = _text(entry.get("datatype"), f"{name}: datatype")
    shape = entry.get("shape")
    if (
        not isinstance(shape, list)
        or len(shape) > MAX_DIMENSIONS
        or not all(_is_count(size) for size in shape)
    ):
        raise Refused(
            f"{shown(name)}: expected a shape of at most {MAX_DIMENSIONS} sizes of 0 or more"
        )
    return name, datatype, shape


def _packed(name: str, datatype: str, shape: list[int], data: Any) -> bytes:
    """Return the bytes of a tensor that came as numbers or texts, nested as the shape or flat."""
    if not isinstance(data, list):
        raise Refused(f"{shown(name)}: expected a list as `data`")
    values = _flat(name, data)
    check_count(name, datatype, shape, len(values))
    try:
        if datatype == STRINGS:
            encoded = [value.encode() for value in values]
            return b"".join(struct.pack("<I", len(text)) + text for text in encoded)
        if datatype not in _STRUCT_CODES:
            raise Refused(f"{shown(name)}: {datatype} comes as binary data only")
        if (datatype == "BOOL") != all(isinstance(value, bool) for value in values) and values:
            raise Refused(f"{shown(name)}: expected values of {datatype}; got others")
        return struct.pack(f"<{len(values)}{_STRUCT_CODES[datatype]}", *values)
    except (struct.error, OverflowError, AttributeError, UnicodeEncodeError):
        raise Refused(f"{shown(name)}: expected values of {datatype}; got others") from None


def _flat(name: str, data: list[Any]) -> list[Any]:
    """Return the values of nested lists in order."""
    for _ in range(MAX_DIMENSIONS):
        if not any(isinstance(value, list) for value in data):
            return data
        if not all(isinstance(value, list) for value in data):
            break
        data = [value for row in data for value in row]
    if any(isinstance(value, list) for value in data):
        raise Refused(f"{shown(name)}: expected `data` nested as its shape, or flat")
    return data


def _output(entry: Any) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise Refused("outputs: expected objects with a name")
    name = _text(entry.get("name"), "name of an output")
    parameters = _parameters(entry, name)
    return {"name": name, "parameters": parameters} if parameters else {"name": name}


def _parameters(entry: Mapping[str, Any], where: str) -> dict[str, Any]:
    parameters = entry.get("parameters", {})
    if not isinstance(parameters, dict) or len(parameters) > MAX_TENSORS:
        raise Refused(f"{shown(where)}: expected `parameters` as an object of at most 32")
    for name, value in parameters.items():
        check_parameter(where, name)
        if not isinstance(value, (str, bool, int, float)):
            raise Refused(f"{shown(where)}: expected a text, number or truth as {shown(name)}")
        if isinstance(value, int) and not -(2**63) <= value < 2**64:
            raise Refused(f"{shown(where)}: expected 64 bits as {shown(name)}")
    return dict(parameters)


def _list(request: Mapping[str, Any], name: str) -> list[Any]:
    entries = request.get(name)
    if not isinstance(entries, list) or len(entries) > MAX_TENSORS:
        raise Refused(f"{name}: expected a list of at most {MAX_TENSORS}")
    return entries


def _text(value: Any, what: str) -> str:
    if not isinstance(value, str) or not value or len(value) > MAX_NAME:
        raise Refused(f"{shown(what)}: expected a text of 1 to {MAX_NAME} characters")
    return value


def _is_integer(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _is_count(value: Any) -> bool:
    return _is_integer(value) and value >= 0
