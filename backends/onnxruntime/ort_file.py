"""The model file: where it is, and what its first bytes say before ONNX Runtime opens it.

ONNX Runtime answers "Protobuf parsing failed" to a truncated download, a Git LFS pointer and a
file of another format alike. Walking over the outermost fields costs a few reads, whatever the
size of the weights, and tells these apart. It also finds the versions that ONNX Runtime 1.19, the
one in Triton's 24.10 container, refuses and the installed one may accept.
"""

from __future__ import annotations

import io
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO

DEFAULT_FILENAME = "model.onnx"
MAX_IR_VERSION = 10  # ONNX Runtime 1.19.2, Triton 24.10
MAX_OPSET = 21

# Field numbers of ModelProto and OperatorSetIdProto (onnx.proto) and protobuf wire types.
_IR_VERSION, _OPSET_IMPORT = 1, 8
_OPSET_DOMAIN, _OPSET_VERSION = 1, 2
_VARINT, _FIXED64, _LENGTH, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True)
class OnnxVersions:
    """What a model file was written with.

    Attributes:
        ir: version of the file format; 0 if it does not say.
        opset: version of the default operator set; 0 if it does not say.
    """

    ir: int = 0
    opset: int = 0


def model_file(
    version_dir: str | os.PathLike[str], config: Mapping[str, Any], capability: str | None = None
) -> Path:
    """Return the file to open for a model version, as the C++ backend chooses it.

    Source: Triton's backend library, src/backend_model_instance.cc.

    Args:
        version_dir: <repository>/<model>/<version>.
        config: the model's configuration: `cc_model_filenames` has the file for GPUs of a compute
            capability, `default_model_filename` that for all others. Either may be a file or a
            folder with a `model.onnx`.
        capability: of the GPU to run on, such as "9.0"; None on a CPU.

    Raises:
        ValueError: there is no such file.
    """
    of_gpu = (config.get("cc_model_filenames") or {}).get(capability or "")
    name = of_gpu or config.get("default_model_filename") or DEFAULT_FILENAME
    path = Path(version_dir) / name
    if path.is_dir():
        path = path / DEFAULT_FILENAME
    if not path.is_file():
        folder = path.parent
        found = sorted(p.name for p in folder.iterdir()) if folder.is_dir() else []
        raise ValueError(f"expected the model file {path}, got {found or 'nothing'} in its folder")
    return path


def check_file(path: Path, allow_newer_onnx: bool = False) -> None:
    """Refuse a file that is not whole, or newer than the container's ONNX Runtime reads.

    Args:
        path: the model file; one in ONNX Runtime's own format (.ort) is left to ONNX Runtime.
        allow_newer_onnx: skip the check of the versions.

    Raises:
        ValueError: what is wrong, with the path.
    """
    if path.suffix == ".ort":
        return
    versions = read_versions(path)
    if allow_newer_onnx:
        return
    if versions.ir > MAX_IR_VERSION or versions.opset > MAX_OPSET:
        raise ValueError(
            f"{path}: expected at most IR version {MAX_IR_VERSION} and opset {MAX_OPSET}, which "
            f"ONNX Runtime 1.19 in Triton 24.10 reads, got IR version {versions.ir} and opset "
            f"{versions.opset}: export it with older ones, or set the model parameter "
            'allow_newer_onnx to "1" if your servers are newer'
        )


def read_versions(path: Path) -> OnnxVersions:
    """Walk over the outermost fields of an ONNX file, to its end.

    Raises:
        ValueError: empty, cut off, or not ONNX; the message has the path.
    """
    size = path.stat().st_size
    if size == 0:
        raise ValueError(f"{path}: expected an ONNX model, got an empty file")
    ir = opset = 0
    with path.open("rb") as file:
        if file.read(19) == b"version https://git":
            raise ValueError(f"{path}: expected an ONNX model, got a Git LFS pointer to one")
        file.seek(0)
        try:
            while file.tell() < size:
                field, value = _read_field(file, size, keep=_OPSET_IMPORT)
                if field == _IR_VERSION and isinstance(value, int):
                    ir = value
                elif field == _OPSET_IMPORT and isinstance(value, bytes):
                    opset = _default_opset(value) or opset
        except EOFError as error:
            raise ValueError(f"{path}: the file is truncated at {size} bytes: {error}") from None
        except ValueError as error:
            raise ValueError(f"{path}: expected an ONNX model, got {error}") from None
    return OnnxVersions(ir, opset)


def _read_field(file: BinaryIO, size: int, keep: int) -> tuple[int, int | bytes | None]:
    """Read one field: its number and its value (bytes only for field `keep`, else skipped).

    Raises:
        EOFError: it ends behind `size`.
        ValueError: this is not protobuf.
    """
    field, wire_type = divmod(_read_varint(file), 8)
    if wire_type == _VARINT:
        return field, _read_varint(file)
    if wire_type == _LENGTH:
        length = _read_varint(file)
    elif wire_type in (_FIXED64, _FIXED32):
        length = 8 if wire_type == _FIXED64 else 4
    else:
        raise ValueError(f"a file of another format (wire type {wire_type})")
    end = file.tell() + length
    if end > size:
        raise EOFError(f"its field {field} ends at {end}")
    if field == keep:
        return field, file.read(length)
    file.seek(end)
    return field, None


def _read_varint(file: BinaryIO) -> int:
    """Read a protobuf varint.

    Raises:
        EOFError: the file ends within it.
        ValueError: it is longer than ten bytes.
    """
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError("it ends within a number")
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a file of another format (a number without end)")


def _default_opset(message: bytes) -> int:
    """Return the version in an OperatorSetIdProto, 0 for another domain than ONNX's own."""
    file = io.BytesIO(message)
    version, domain = 0, b""
    while file.tell() < len(message):
        field, value = _read_field(file, len(message), keep=_OPSET_DOMAIN)
        if field == _OPSET_VERSION and isinstance(value, int):
            version = value
        elif field == _OPSET_DOMAIN and isinstance(value, bytes):
            domain = value
    return version if domain in (b"", b"ai.onnx") else 0
