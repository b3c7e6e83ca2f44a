"""ONNX files whose weights lie in files of their own beside them.

`torch.onnx` writes `model.onnx.data` by default, and any exporter must beyond 2 GiB. The `onnx`
package and ONNX Runtime look for these files where a link points to, and refuse links, of which a
hub's cache consists; so they are read here.

Source: onnx.proto, `TensorProto.external_data`.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath, PureWindowsPath

import onnx
from google.protobuf.message import DecodeError
from onnx import GraphProto, ModelProto, TensorProto

from asr_server.graphs.errors import PrepareError

MAX_BYTES = 2**31 - 2**20  # of one protobuf message, with room for metadata


def load_model(path: Path) -> ModelProto:
    """Read an ONNX file together with the files that hold its weights.

    Raises:
        PrepareError: it is no ONNX file, or its data is missing, cut short, too large for one
            file, or outside its folder.
        OSError: a file cannot be read.
    """
    model = load_graph(path)
    tensors = [tensor for tensor in tensors_of(model.graph) if _is_external(tensor)]
    read = 0
    for tensor in tensors:
        location, offset, length = _where(path, tensor)
        data = _read(path, path.parent / location, offset, length)
        read += len(data)
        if read > MAX_BYTES:
            raise PrepareError(f"{path}: more than {MAX_BYTES} bytes of weights; expected fewer")
        tensor.raw_data = data
        tensor.data_location = TensorProto.DEFAULT
        del tensor.external_data[:]
    return model


def external_files(path: Path) -> list[str]:
    """Return the names, relative to an ONNX file, of the files that hold its weights.

    Raises:
        PrepareError: it is no ONNX file, or names a path outside its folder.
        OSError: it cannot be read.
    """
    tensors = filter(_is_external, tensors_of(load_graph(path).graph))
    return sorted({_where(path, tensor)[0] for tensor in tensors})


def load_graph(path: Path) -> ModelProto:
    """Read an ONNX file without the files that hold its weights.

    Raises:
        PrepareError: it is no ONNX file.
        OSError: it cannot be read.
    """
    try:
        model = onnx.load(str(path), load_external_data=False)
    except DecodeError as error:
        raise PrepareError(f"{path}: is not an ONNX file: {error}") from error
    if not model.graph.node:
        raise PrepareError(f"{path}: is not an ONNX file: it has no graph")
    return model


def tensors_of(graph: GraphProto) -> Iterator[TensorProto]:
    """Yield all tensors of a graph and of the graphs in its nodes."""
    yield from graph.initializer
    for sparse in graph.sparse_initializer:
        yield from (sparse.values, sparse.indices)
    for node in graph.node:
        for attribute in node.attribute:
            yield from [*attribute.tensors, *([attribute.t] if attribute.HasField("t") else [])]
            graphs = [*attribute.graphs, *([attribute.g] if attribute.HasField("g") else [])]
            for inner in graphs:
                yield from tensors_of(inner)


def _is_external(tensor: TensorProto) -> bool:
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _where(path: Path, tensor: TensorProto) -> tuple[str, int, int | None]:
    """Return file, offset and length, None for all that follows."""
    entries = {entry.key: entry.value for entry in tensor.external_data}
    location = entries.get("location", "")
    parts = PurePosixPath(location).parts
    if (
        not parts
        or ".." in parts
        or PurePosixPath(location).is_absolute()
        or PureWindowsPath(location).drive
        or "\\" in location
        or "\0" in location
    ):
        raise PrepareError(
            f"{path}: tensor {tensor.name} names {location!r} for its data; expected a file in the "
            "folder of the graph"
        )
    try:
        offset = int(entries.get("offset", 0))
        length = int(entries["length"]) if "length" in entries else None
    except ValueError as error:
        raise PrepareError(f"{path}: tensor {tensor.name}: external data: {error}") from error
    if offset < 0 or (length is not None and length < 0):
        raise PrepareError(f"{path}: tensor {tensor.name}: expected offset and length from 0 on")
    return location, offset, length


def _read(graph: Path, path: Path, offset: int, length: int | None) -> bytes:
    if not path.is_file():
        raise PrepareError(f"{graph}: expected its data in {path.name} beside it, not found")
    available = max(0, path.stat().st_size - offset)
    if length is not None and available < length:
        raise PrepareError(
            f"{path}: expected {length} bytes at {offset}, the file ends after {available}"
        )
    with path.open("rb") as file:
        file.seek(offset)
        return file.read(available if length is None else length)


@contextmanager
def self_contained(path: Path, folder: Path) -> Iterator[Path]:
    """Give a file that holds its weights itself: `path`, or a copy in `folder` for as long.

    Raises:
        PrepareError, OSError: as `load_model`.
    """
    if not external_files(path):
        yield path
        return
    with tempfile.TemporaryDirectory(dir=folder, prefix=".whole-") as scratch:
        whole = Path(scratch) / path.name
        onnx.save(load_model(path), str(whole))
        yield whole
