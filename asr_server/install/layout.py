"""Finds a model's files in a directory laid out as FunASR or a hub lays it out.

Older exports have other names and other places for the same things; all of them become the
present layout, which is also what `funasr_onnx` reads: `model.onnx` (or `model_quant.onnx`),
`config.yaml`, `am.mvn`, `tokens.json` or the SentencePiece model.
"""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import onnx

from asr_contract.text_files import read_text
from asr_core.config import read_config
from asr_server.errors import InstallError
from asr_server.graphs import PrepareError
from asr_server.graphs.external_data import external_files, load_model
from asr_server.models.names import ExportedPrecision

# Names of the same file in exports of other years.
OLDER_NAMES = {
    "config.yaml": ("asr.yaml", "vad.yaml", "punc.yaml"),
    "am.mvn": ("vad.mvn",),
    # Of the hotword embedder nothing is quantised: the exports differ in name only.
    "model_eb_quant.onnx": ("model_eb.onnx",),
}
HOTWORD_FILES = ("model_eb.onnx", "model_eb_quant.onnx", "seg_dict")
VOCABULARY, OLDER_VOCABULARY = "tokens.json", "tokens.txt"


@dataclass(frozen=True)
class ModelFiles:
    """The files of one model.

    Attributes:
        directory: holds them under the names of the present layout: links where they can be taken
            as they are, copies of graphs whose weights lie in files of their own, which are put
            into the copy, and of text files with a byte order mark, which FunASR's runtime refuses.
        originals: for each of these names the file it comes from.
    """

    directory: Path
    originals: Mapping[str, Path]


def graph_file(graph: str, precision: ExportedPrecision) -> str:
    """Return the file of a graph ("model", "decoder", ...) in FunASR's exports."""
    return f"{graph}.onnx" if precision == "fp32" else f"{graph}_quant.onnx"


def download_patterns(graphs: Collection[str], precision: ExportedPrecision) -> list[str]:
    """Return patterns for everything but checkpoints, which are large and rarely needed."""
    names = [graph_file(graph, precision) for graph in graphs]
    tables = ["*.yaml", "*.mvn", "tokens.*", "*.bpe.model", "configuration.json", "jieba_*"]
    return [*names, "*.data", *tables, *HOTWORD_FILES, *EXAMPLES]


BESIDE_CHECKPOINTS = ("seg_dict",)
# The recordings that models ship, which prove them (`asr_server.install.reading`).
EXAMPLES = ("example/*.wav", "example/*.mp3")


def missing_data(
    directory: Path, graphs: Collection[str], precision: ExportedPrecision
) -> list[str]:
    """Return the files of weights that the graphs in a folder name and that are not there."""
    missing = []
    for graph in graphs:
        path = directory / graph_file(graph, precision)
        if path.is_file():
            names = _weights_of(path)
            missing += [name for name in names if not (directory / name).is_file()]
    return missing


def has_graphs(directory: Path, graphs: Collection[str], precision: ExportedPrecision) -> bool:
    """Tell whether the exported graphs are there."""
    return all((directory / graph_file(graph, precision)).is_file() for graph in graphs)


def collect(
    sources: Sequence[Path],
    target: Path,
    graphs: Collection[str],
    tables: Collection[str],
    precision: ExportedPrecision,
    optional: Collection[str] = (),
) -> ModelFiles:
    """Put links to a model's files into a folder, under the names of the present layout.

    Args:
        sources: folders to look in, in this order; links in them are followed.
        target: an empty folder.
        graphs: names without their ending.
        tables: the other files that are needed, by their present names.
        precision: which exports of the graphs.
        optional: files that are linked where they exist.

    Raises:
        InstallError: files are missing, or one is not what it should be.
    """
    wanted = {name: (name, *OLDER_NAMES.get(name, ())) for name in tables}
    wanted |= {name: (name,) for name in (graph_file(graph, precision) for graph in graphs)}
    originals = {
        name: found
        for name, names in wanted.items()
        if (found := _find(sources, names)) is not None
    }
    for name in optional:
        if (path := _find(sources, (name, *OLDER_NAMES.get(name, ())))) is not None:
            originals[name] = path
    config = _read_config(originals["config.yaml"]) if "config.yaml" in originals else {}
    if "am.mvn" in tables and config and "frontend_conf" not in config:
        raise InstallError(f"{originals['config.yaml']}: expected frontend_conf, not found")
    pieces = None
    if VOCABULARY in tables and VOCABULARY not in originals:
        pieces, origin = _older_vocabulary(sources, config, originals.get("config.yaml"))
        if origin is not None:
            originals[VOCABULARY] = origin
    missing = sorted(set(wanted) - set(originals))
    if missing:
        hint = _hint(sources, graphs, precision)
        raise InstallError(f"{sources[-1]}: expected {', '.join(missing)}, not found{hint}")
    data: dict[str, Path] = {}
    for name, path in originals.items():
        if name == VOCABULARY and pieces is not None:
            text = json.dumps(pieces, ensure_ascii=False, indent=0)
            (target / name).write_text(text + "\n", encoding="utf-8")
        else:
            data |= _put(path, target / name)
    return ModelFiles(target, {**originals, **data})


def _put(path: Path, target: Path) -> dict[str, Path]:
    """Link a file, or copy what cannot be taken as it is; return the files of a graph's weights."""
    if path.suffix == ".onnx":
        if names := _weights_of(path):
            with _as_install_error():
                onnx.save(load_model(path), str(target))
            return {name: path.parent / name for name in names}
    elif _has_byte_order_mark(path):
        target.write_text(_read(path), encoding="utf-8")
        return {}
    target.symlink_to(path.resolve())
    return {}


def _weights_of(path: Path) -> list[str]:
    """Return the files of a graph's weights; none of what `prepare` will refuse."""
    try:
        return external_files(path)
    except PrepareError:
        return []


def _has_byte_order_mark(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(len(codecs.BOM_UTF8)) == codecs.BOM_UTF8


def _read(path: Path) -> str:
    with _as_install_error():
        return read_text(path)


@contextmanager
def _as_install_error() -> Iterator[None]:
    """Say what is wrong with a file as the reason why the model cannot be installed."""
    try:
        yield
    except (ValueError, PrepareError) as error:
        raise InstallError(str(error)) from error


def _find(sources: Sequence[Path], names: Sequence[str]) -> Path | None:
    for source in sources:
        for name in names:
            if (source / name).is_file():
                return source / name
    return None


def _read_config(path: Path) -> dict[str, Any]:
    with _as_install_error():
        return read_config(path)


def _older_vocabulary(
    sources: Sequence[Path], config: Mapping[str, Any], config_path: Path | None
) -> tuple[list[str] | None, Path | None]:
    """Return the vocabulary of `tokens.txt` or of the configuration, and where it was."""
    path = _find(sources, (OLDER_VOCABULARY,))
    if path is not None:
        pieces = _read(path).rstrip("\n").split("\n")
        spaced = next((piece for piece in pieces if not piece or piece.split() != [piece]), None)
        if spaced is not None:
            raise InstallError(f"{path}: expected one token a line, got {spaced!r}")
        return pieces, path
    listed = config.get("token_list")
    if isinstance(listed, list) and all(isinstance(piece, str) for piece in listed):
        return listed, config_path
    return None, None


def _hint(sources: Sequence[Path], graphs: Collection[str], precision: ExportedPrecision) -> str:
    other: ExportedPrecision = "int8" if precision == "fp32" else "fp32"
    if any(has_graphs(source, graphs, precision) for source in sources):
        return ""
    if any(has_graphs(source, graphs, other) for source in sources):
        return f"; it holds {other}: --precision {other}"
    if not any(os.access(source, os.R_OK | os.X_OK) for source in sources):
        return "; the directory does not exist or cannot be read"
    return "; expected what FunASR's model.export() writes, or model.pt to be exported"
