"""Whether what a request says of a tensor fits together: shape, datatype and bytes.

Triton multiplies dimensions without looking for overflow: over HTTP it then allocates what the
shape says, over gRPC it hands a Python model an array that the shape makes larger than memory.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

ELEMENT_BYTES = {
    "BOOL": 1,
    "UINT8": 1,
    "UINT16": 2,
    "UINT32": 4,
    "UINT64": 8,
    "INT8": 1,
    "INT16": 2,
    "INT32": 4,
    "INT64": 8,
    "FP16": 2,
    "BF16": 2,
    "FP32": 4,
    "FP64": 8,
}
STRINGS = "BYTES"  # each element is its length in 4 bytes, and so many bytes

MAX_TENSORS = 32
MAX_DIMENSIONS = 8
MAX_STRINGS = 10_000
MAX_NAME = 256  # characters


class Refused(ValueError):
    """A door does not pass a request on; the text says what was expected and what came.

    Attributes:
        status: of the answer over HTTP.
    """

    status = 400


def num_elements(name: str, datatype: str, shape: Sequence[int]) -> int:
    """Return how many elements a tensor has.

    Raises:
        Refused: unknown datatype, or a shape that no tensor has.
    """
    if datatype != STRINGS and datatype not in ELEMENT_BYTES:
        raise Refused(f"{shown(name)}: expected a datatype such as FP32; got {shown(datatype)}")
    if len(shape) > MAX_DIMENSIONS:
        raise Refused(f"{shown(name)}: expected at most {MAX_DIMENSIONS} dimensions")
    if any(size < 0 for size in shape):
        raise Refused(f"{shown(name)}: expected sizes of 0 or more; got the shape {list(shape)}")
    return math.prod(shape)


def check_bytes(name: str, datatype: str, shape: Sequence[int], data: bytes | memoryview) -> None:
    """See that data holds just the elements that the shape says.

    Raises:
        Refused: it does not.
    """
    count = num_elements(name, datatype, shape)
    if datatype == STRINGS:
        _check_strings(name, count, data)
    elif len(data) != count * ELEMENT_BYTES[datatype]:
        raise Refused(
            f"{shown(name)}: expected {count * ELEMENT_BYTES[datatype]} bytes for "
            f"{datatype} {list(shape)}; got {len(data)}"
        )


def check_count(name: str, datatype: str, shape: Sequence[int], got: int) -> None:
    """See that so many values are as many as the shape says.

    Raises:
        Refused: they are not.
    """
    count = num_elements(name, datatype, shape)
    if datatype == STRINGS and count > MAX_STRINGS:
        raise Refused(f"{shown(name)}: expected at most {MAX_STRINGS} strings; got {count}")
    if got != count:
        raise Refused(f"{shown(name)}: expected {count} values for {list(shape)}; got {got}")


def _check_strings(name: str, count: int, data: bytes | memoryview) -> None:
    if count > MAX_STRINGS:
        raise Refused(f"{shown(name)}: expected at most {MAX_STRINGS} strings; got {count}")
    position = 0
    for _ in range(count):
        length = int.from_bytes(data[position : position + 4], "little")
        position += 4 + length
        if position > len(data):
            break
    if position != len(data):
        raise Refused(f"{shown(name)}: expected {count} strings, each behind its length in 4 bytes")


def check_parameter(where: str, name: str) -> None:
    """Refuse what Triton understands by a parameter, and no client of these models needs.

    Raises:
        Refused: shared memory, or classification, whose count Triton 24.10 takes on trust.
    """
    if name == "classification" or name.startswith("shared_memory"):
        raise Refused(f"{shown(where)}: the parameter {shown(name)} is not open to clients")


def shown(value: str) -> str:
    """Return a client's word for a message, shortened."""
    text = repr(value)
    return text if len(text) <= 80 else text[:80] + "…"
