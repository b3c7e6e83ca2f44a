"""Turns what the user names into directories with the model's files."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path

from asr_server.errors import InstallError
from asr_server.export import check_exporter, export_checkpoint
from asr_server.install import hub
from asr_server.install.layout import (
    BESIDE_CHECKPOINTS,
    download_patterns,
    graph_file,
    has_graphs,
    missing_data,
)
from asr_server.models import ExportedPrecision, HubName
from asr_server.models.names import is_hub_id
from asr_server.models.published import (
    PublishedModel,
    default_model,
    find_published,
    hub_of,
    known_names,
)


@dataclass(frozen=True)
class Wanted:
    """What to install.

    Attributes:
        kind: of the model.
        graphs: its ONNX files, without their ending.
        precision: of the graphs.
        source: a directory, a graph, a repository id or a name; None for the published default.
        hub: where to look for an id, None where it usually lies.
        revision: branch, tag or commit.
        variant: which published default.
        from_checkpoint: export here even if the ONNX was published.
        checkpoint: the file of its weights before they are exported.
    """

    kind: str
    graphs: Collection[str]
    precision: ExportedPrecision
    source: str | None
    hub: HubName | None = None
    revision: str | None = None
    variant: str | None = None
    from_checkpoint: bool = False
    checkpoint: str = "model.pt"


@dataclass(frozen=True)
class Located:
    """A model on this machine.

    Attributes:
        directories: where its files lie; a file is taken from the first that has it.
        title: what the user knows it by.
        origin: the same for the manifest.
    """

    directories: tuple[Path, ...]
    title: str
    origin: dict[str, str]


def locate(wanted: Wanted, work: Path, report: Callable[[str], None]) -> Located:
    """Find a model's directory, downloading and exporting it where needed.

    Args:
        wanted: which.
        work: an empty folder for an export.
        report: takes lines for the user.

    Raises:
        InstallError: there is no such model, or it cannot be had.
    """
    if wanted.source is not None and wanted.source.endswith(".onnx"):
        return _locate_graph(wanted, Path(wanted.source).resolve(), work)
    if wanted.source is not None and Path(wanted.source).is_dir():
        return _locate_directory(wanted, Path(wanted.source).resolve(), work, report)
    hub_name, repository = _choose_repository(wanted)
    report(f"{repository} from {hub_name}")
    patterns = download_patterns(wanted.graphs, wanted.precision)
    if wanted.from_checkpoint:
        check_exporter(repository)
        patterns = [*patterns, wanted.checkpoint, *BESIDE_CHECKPOINTS]
    snapshot = hub.download(hub_name, repository, patterns, wanted.revision)
    if data := missing_data(snapshot.directory, wanted.graphs, wanted.precision):
        # Their names are only known from the graph.
        patterns = [*patterns, *data]
        snapshot = hub.download(hub_name, repository, patterns, wanted.revision)
    if not _is_complete(wanted, snapshot.directory):
        others = hub.list_files(hub_name, repository, wanted.revision)
        if wanted.checkpoint in others:
            check_exporter(repository)
            patterns = [*patterns, wanted.checkpoint, *BESIDE_CHECKPOINTS]
            snapshot = hub.download(hub_name, repository, patterns, wanted.revision)
        else:
            _refuse_other_precision(wanted, repository, others)
    located = _locate_directory(wanted, snapshot.directory, work, report)
    origin = {"hub": hub_name, "repository": repository, "revision": snapshot.revision}
    return Located(located.directories, repository, origin)


def _is_complete(wanted: Wanted, directory: Path) -> bool:
    return wanted.from_checkpoint or has_graphs(directory, wanted.graphs, wanted.precision)


def _locate_directory(
    wanted: Wanted, directory: Path, work: Path, report: Callable[[str], None]
) -> Located:
    origin = {"directory": str(directory)}
    exists = has_graphs(directory, wanted.graphs, wanted.precision)
    checkpoint = directory / wanted.checkpoint
    if (exists and not wanted.from_checkpoint) or not checkpoint.is_file():
        return Located((directory,), directory.name, origin)
    report(f"exporting {checkpoint} to ONNX")
    export_checkpoint(directory, wanted.checkpoint, work, wanted.precision)
    return Located((work, directory), directory.name, origin)


def _locate_graph(wanted: Wanted, path: Path, work: Path) -> Located:
    """Take a graph of any name, such as 3D-Speaker writes, for the only one of its model."""
    if len(wanted.graphs) != 1:
        raise InstallError(f"{path}: expected the directory of a {wanted.kind} model, got a graph")
    if not path.is_file():
        raise InstallError(f"{path}: no such file")
    (graph,) = wanted.graphs
    (work / graph_file(graph, wanted.precision)).symlink_to(path)
    return Located((work, path.parent), path.stem, {"file": str(path)})


def _choose_repository(wanted: Wanted) -> tuple[HubName, str]:
    """Return the hub and the id to download."""
    source = wanted.source
    if source is None:
        model = default_model(wanted.kind, wanted.variant)
        hub_name = wanted.hub or "modelscope"
        _check_published(wanted, model, model.title)
        return hub_name, model.repository(hub_name, wanted.from_checkpoint)
    found = find_published(source)
    if found is None:
        if not is_hub_id(source):
            raise InstallError(
                f"{source}: no such directory, and not an id (owner/name) or one of the names "
                f"{', '.join(known_names())}"
            )
        return wanted.hub or "modelscope", source
    _check_published(wanted, found, source)
    hub_name = wanted.hub or hub_of(source)
    hub_id = found.repository(hub_name, wanted.from_checkpoint)
    same = source.partition("/")[2] == hub_id.partition("/")[2]
    return hub_name, source if same else hub_id  # damo/... stays damo/...


def _check_published(wanted: Wanted, model: PublishedModel, source: str) -> None:
    if model.kind != wanted.kind:
        raise InstallError(f"{source}: is a model of kind {model.kind}, not {wanted.kind}")
    if wanted.variant is not None and wanted.variant != model.variant:
        raise InstallError(f"{source}: is {model.title}, not variant {wanted.variant!r}")


def _refuse_other_precision(wanted: Wanted, repository: str, files: Collection[str]) -> None:
    other: ExportedPrecision = "int8" if wanted.precision == "fp32" else "fp32"
    recipe = " --recipe published" if other == "int8" else ""
    if all(graph_file(graph, other) in files for graph in wanted.graphs):
        raise InstallError(f"{repository}: holds {other} only: --precision {other}{recipe}")
