"""Puts an exported model into a model repository, so that Triton can load it."""

from __future__ import annotations

import json
import shutil
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path

import numpy as np

from asr_contract.text_files import read_json
from asr_core.features import LIMITS_FILE
from asr_core.paraformer import EMBEDDER_FILE, SEGMENTATION_FILE
from asr_core.sensevoice import NUM_TAG_FRAMES
from asr_core.streaming import CACHE_FILE
from asr_server.errors import InstallError
from asr_server.graphs import TAKES_HOTWORDS, Report, WarmUpInput, convert_embedder, prepare
from asr_server.graphs.caches import CACHED_COLUMNS, NEW_COLUMNS
from asr_server.graphs.streaming_float16 import halve_cache
from asr_server.install.tables import check_tables
from asr_server.models import (
    MANIFEST,
    VERSION,
    Device,
    ExportedGraph,
    ModelKind,
    OnnxRuntime,
    prepared_format,
    version_folder,
)
from asr_server.models.config_blocks import (
    CONFIG,
    GPU_GRAPH,
    GRAPH,
    WARM_UP_FOLDER,
    set_gpu_file,
    set_tensors,
    set_warm_up,
)

_SEARCH, _DECODER = "streaming_cif_search", "streaming_decoder"


def install(
    kind: ModelKind,
    source: Path,
    repository: Path,
    onnx_name: str = "model.onnx",
    row_by_row: bool = False,
    device: Device = "cpu",
    onnxruntime: OnnxRuntime = "1.19",
) -> list[Report]:
    """Prepare a model's graphs and put them with its tables into a model repository.

    Args:
        kind: which model.
        source: directory with the exported model.
        repository: the model repository to fill.
        onnx_name: the encoder's graph in `source`: `model.onnx`, or `model_quant.onnx` for int8. A
            decoder's is named alike: `decoder.onnx`, `decoder_quant.onnx`.
        row_by_row: as in `prepare`.
        device: as in `prepare`.
        onnxruntime: as in `prepare`.

    Returns:
        For each graph, what the preparation found and proved.

    Raises:
        InstallError: a file is missing in `source`, or the model is of an unsupported sort.
        PrepareError: a graph cannot be served.
    """
    onnx_names = graph_names(kind, onnx_name)
    _check_source(kind, source, onnx_names)
    with tempfile.TemporaryDirectory(dir=repository, prefix=".install-") as scratch:
        # Nothing is put in place before the last graph is proved.
        prepared = Path(scratch)
        prepare_graph = partial(
            prepare, row_by_row=row_by_row, device=device, onnxruntime=onnxruntime
        )
        reports = [
            _prepare(kind, graph, source / name, prepared, prepare_graph)
            for graph, name in zip(kind.graphs, onnx_names, strict=True)
        ]
        hotword_files = collect_hotword_files(source, onnx_names[0], reports[0], prepared)
        for model, names in kind.files.items():
            for name in names:
                shutil.copy(source / name, version_folder(repository, model) / name)
        put_hotword_files(kind, repository, hotword_files)
        put_optional_files(kind, source, repository)
        write_limits(kind, repository, reports[0])
        (repository / _SEARCH / VERSION / CACHE_FILE).unlink(missing_ok=True)  # a former model's
        for graph in kind.graphs:
            for path in (prepared / graph.model).iterdir():
                path.replace(version_folder(repository, graph.model) / path.name)
        for graph, report in zip(kind.graphs, reports, strict=True):
            write_warm_up(repository / graph.model, report.warm_up)
            write_config(repository / graph.model)
    return reports


def _prepare(
    kind: ModelKind,
    graph: ExportedGraph,
    source: Path,
    prepared: Path,
    prepare_graph: Callable[..., Report],
) -> Report:
    """Prepare one graph into a folder of its model's name, with what a manifest says of it."""
    folder = prepared / graph.model
    folder.mkdir()
    report = prepare_graph(source, folder / GRAPH, kind=graph.kind)
    manifest = {
        "format": prepared_format(kind.name),
        "source": source.parent.name,
        "onnx": source.name,
        "preparation": asdict(report),
    }
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str))
    return report


def _check_source(kind: ModelKind, source: Path, onnx_names: Sequence[str]) -> None:
    """Refuse a model of which a file is missing, or does not fit, before anything is prepared.

    Raises:
        InstallError: which, and why.
    """
    needed = {*onnx_names, *kind.tables}
    missing = sorted(name for name in needed if not (source / name).is_file())
    if missing:
        raise InstallError(f"{source}: expected {', '.join(missing)}, not found")
    for name, reason in kind.unsupported.items():
        if (source / name).exists():
            raise InstallError(f"{source}: expected a model without {name}: {reason}")
    check_tables(kind, source, onnx_names)


def write_warm_up(model: Path, inputs: Mapping[str, WarmUpInput]) -> None:
    """Put what a model is run on before it serves, as far as it is not zeros, beside it.

    Args:
        model: the model's folder.
        inputs: of that run.
    """
    folder = model / WARM_UP_FOLDER
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for name, each in inputs.items():
        if each.value:
            np.full(each.dims, each.value, np.int32).tofile(folder / name)


def put_beside(kind: ModelKind, of_gpu: Path, repository: Path) -> None:
    """Put a model's graphs for GPUs beside those for the CPU.

    Args:
        kind: which model.
        of_gpu: where it is installed for GPUs; the graphs are moved.
        repository: where it is installed for the CPU.
    """
    if (of_gpu / _SEARCH / VERSION / CACHE_FILE).is_file():
        carry_half_cache(repository)  # one search serves both
    for graph in kind.graphs:
        source = version_folder(of_gpu, graph.model) / GRAPH
        source.replace(version_folder(repository, graph.model) / GPU_GRAPH)


def carry_half_cache(repository: Path) -> None:
    """Let an installed streaming Paraformer carry its decoder's cache in float16.

    The decoder's graph, what it is run on before it serves, and the search are told.
    """
    folder = version_folder(repository, _DECODER)
    halve_cache(folder / GRAPH)
    manifest = read_json(folder / MANIFEST)
    for name, each in manifest["preparation"]["warm_up"].items():
        if name == CACHED_COLUMNS:
            each["data_type"] = "TYPE_FP16"
    for tensors in manifest["preparation"].get("tensors", {}).values():
        for name in (CACHED_COLUMNS, NEW_COLUMNS):
            if name in tensors:
                tensors[name]["data_type"] = "TYPE_FP16"
    (folder / MANIFEST).write_text(json.dumps(manifest, indent=2))
    path = version_folder(repository, _SEARCH) / CACHE_FILE
    path.write_text(json.dumps({"dtype": "float16"}) + "\n", encoding="utf-8")


def write_config(model: Path) -> None:
    """Fit a model's configuration to the graphs in its folder; nothing where there is none."""
    path = model / CONFIG
    if path.is_file():
        text = path.read_text(encoding="utf-8")
        path.write_text(fitted_config(text, model / VERSION), encoding="utf-8")


def fitted_config(text: str, folder: Path) -> str:
    """Return a configuration that fits the graphs in a version's folder."""
    manifest = folder / MANIFEST
    prepared = read_json(manifest).get("preparation") if manifest.is_file() else None
    known = prepared or {}
    text = set_warm_up(text, known.get("warm_up", {}))
    text = set_tensors(text, known.get("tensors", {}))
    return set_gpu_file(text, (folder / GPU_GRAPH).is_file())


def collect_hotword_files(
    source: Path, onnx_name: str, report: Report, scratch: Path
) -> dict[str, Path]:
    """Make what embeds the hotwords of a model that takes them; nothing for others.

    Args:
        source: directory with the exported model.
        onnx_name: the encoder's graph in it; the embedder's is named alike.
        report: of the encoder.
        scratch: gets the converted embedder.

    Returns:
        Files by their names in the repository.

    Raises:
        InstallError: there is no embedder.
        PrepareError: it cannot be converted.
    """
    if report.kind not in TAKES_HOTWORDS:
        return {}
    embedder = source / embedder_name(onnx_name)
    if not embedder.is_file():
        raise InstallError(f"{source}: expected {embedder.name} (hotwords), not found")
    found = {EMBEDDER_FILE: scratch / EMBEDDER_FILE}
    convert_embedder(embedder, found[EMBEDDER_FILE])
    if (source / SEGMENTATION_FILE).is_file():
        found[SEGMENTATION_FILE] = source / SEGMENTATION_FILE
    return found


def embedder_name(onnx_name: str) -> str:
    """Return the file of the hotword embedder beside an encoder's."""
    return onnx_name.replace("model", "model_eb", 1)


def put_hotword_files(kind: ModelKind, repository: Path, files: Mapping[str, Path]) -> None:
    """Give the feature extractor its hotword files, and take away a former model's."""
    if kind.name != "paraformer":
        return
    folder = version_folder(repository, "paraformer_feature_extractor")
    for name in (EMBEDDER_FILE, SEGMENTATION_FILE):
        (folder / name).unlink(missing_ok=True)
        if name in files:
            shutil.copy(files[name], folder / name)


def put_optional_files(kind: ModelKind, source: Path, repository: Path) -> None:
    """Put the files that not every model of a kind has, and take away a former model's."""
    for model, names in kind.optional.items():
        for name in names:
            path = version_folder(repository, model) / name
            path.unlink(missing_ok=True)
            if (source / name).is_file():
                shutil.copy(source / name, path)


def write_limits(kind: ModelKind, repository: Path, report: Report) -> None:
    """Tell the feature extractor how long audio may be, where the graph itself has a limit.

    Only a mask table of an older exporter that was left in the graph sets one.
    """
    for model in kind.files:
        if not model.endswith("feature_extractor"):
            continue
        path = version_folder(repository, model) / LIMITS_FILE
        path.unlink(missing_ok=True)
        if report.row_by_row and report.mask_table_frames and not report.edits.get("mask_tables"):
            prompt_frames = NUM_TAG_FRAMES if report.kind == "sensevoice" else 0
            limits = {"max_frames": report.mask_table_frames - prompt_frames}
            path.write_text(json.dumps(limits) + "\n", encoding="utf-8")


def graph_names(kind: ModelKind, onnx_name: str) -> list[str]:
    """Return the names of a model's ONNX files, given the first one's.

    Raises:
        InstallError: there are others, and the first one's name says nothing of theirs.
    """
    first, *others = kind.graphs
    if others and not onnx_name.startswith(first.stem):
        raise InstallError(f"{onnx_name}: expected a name that starts with '{first.stem}'")
    ending = onnx_name.removeprefix(first.stem)
    return [onnx_name, *(graph.stem + ending for graph in others)]
