"""Puts a model into a model repository, so that Triton can load it.

    python -m scripts.install_model sensevoice --from DIRECTORY [--repository model_repo_sensevoice]

DIRECTORY is laid out as FunASR's exporter and the model hubs lay it out: the exported ONNX files
with `config.yaml`, `am.mvn` and the vocabulary beside them. The graphs are prepared for serving
(`scripts.prepare_onnx`), which proves the result; a model that fails leaves the installed one as
it was.
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal

from asr_core.sensevoice import TOKENIZER_NAME
from scripts.onnx_graph.prepare import KindChoice
from scripts.prepare_onnx import PrepareError, Report, prepare

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED_MODELS = ROOT / "embedded_models"
VERSION = "1"  # every model here has one version
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ExportedGraph:
    """One of a model's ONNX files.

    Attributes:
        model: the Triton model that gets it.
        stem: its name without ending, before `_quant` of an int8 export.
        kind: what `prepare` must find in it.
        files: what `prepare` reads beside it.
    """

    model: str
    stem: str
    kind: KindChoice
    files: tuple[str, ...] = ()


@dataclass(frozen=True)
class ModelKind:
    """Where the files of one kind of model go.

    Attributes:
        name: as said on the command line; also, with `_` for `-`, its folder in `embedded_models`.
        repository: the model repository, relative to the project.
        graphs: the exported graphs; the first is the encoder.
        files: for each other model, the files it needs.
    """

    name: Literal["paraformer", "sensevoice", "paraformer-online"]
    repository: str
    graphs: tuple[ExportedGraph, ...]
    files: dict[str, tuple[str, ...]]

    @property
    def encoder(self) -> str:
        """The Triton model of the encoder."""
        return self.graphs[0].model

    @property
    def embedded(self) -> Path:
        """Folder of the small model that comes with the project."""
        return EMBEDDED_MODELS / self.name.replace("-", "_")


KINDS = {
    kind.name: kind
    for kind in (
        ModelKind(
            "sensevoice",
            "model_repo_sensevoice",
            (ExportedGraph("sensevoice_encoder", "model", "sensevoice"),),
            {
                "sensevoice_feature_extractor": ("am.mvn", "config.yaml"),
                "sensevoice_scoring": (TOKENIZER_NAME,),
            },
        ),
        ModelKind(
            "paraformer",
            "model_repo_paraformer_offline",
            (ExportedGraph("paraformer_encoder", "model", "paraformer"),),
            {
                "paraformer_feature_extractor": ("am.mvn", "config.yaml"),
                "paraformer_scoring": ("tokens.json", "config.yaml"),
            },
        ),
        ModelKind(
            "paraformer-online",
            "model_repo_paraformer_online",
            (
                ExportedGraph(
                    "streaming_encoder", "model", "streaming_encoder", ("am.mvn", "config.yaml")
                ),
                ExportedGraph("streaming_decoder", "decoder", "streaming_decoder"),
            ),
            {
                "streaming_feature_extractor": ("config.yaml",),
                "streaming_cif_search": ("tokens.json", "config.yaml"),
            },
        ),
    )
}


class InstallError(RuntimeError):
    """The model cannot be installed; what was installed before is untouched."""


def install(
    kind: ModelKind, source: Path, repository: Path, onnx_name: str = "model.onnx"
) -> list[Report]:
    """Prepare a model's graphs and put them with its tables into a model repository.

    Args:
        kind: which model.
        source: directory with the exported model.
        repository: the model repository to fill.
        onnx_name: the encoder's graph in `source`: `model.onnx`, or `model_quant.onnx` for int8. A
            decoder's is named alike: `decoder.onnx`, `decoder_quant.onnx`.

    Returns:
        For each graph, what the preparation found and proved.

    Raises:
        InstallError: a file is missing in `source`.
        PrepareError: a graph cannot be served.
    """
    onnx_names = graph_names(kind, onnx_name)
    needed = {*onnx_names, *(name for graph in kind.graphs for name in graph.files)}
    needed.update(name for names in kind.files.values() for name in names)
    missing = sorted(name for name in needed if not (source / name).is_file())
    if missing:
        raise InstallError(f"{source}: expected {', '.join(missing)}, not found")
    reports = []
    with tempfile.TemporaryDirectory(dir=repository, prefix=".install-") as scratch:
        # Nothing is put in place before the last graph is proved.
        for graph, name in zip(kind.graphs, onnx_names, strict=True):
            folder = Path(scratch) / graph.model
            folder.mkdir()
            report = prepare(source / name, folder / "model.onnx", kind=graph.kind)
            manifest = {"source": source.name, "onnx": name, "preparation": asdict(report)}
            (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str))
            reports.append(report)
        for model, names in kind.files.items():
            for name in names:
                shutil.copy(source / name, version_folder(repository, model) / name)
        for graph in kind.graphs:
            for path in (Path(scratch) / graph.model).iterdir():
                path.replace(version_folder(repository, graph.model) / path.name)
    return reports


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


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's only version, made if need be."""
    folder = repository / model / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_installed(kind: ModelKind, repository: Path) -> bool:
    """Whether a model has been installed into a repository."""
    return all((repository / graph.model / VERSION / MANIFEST).is_file() for graph in kind.graphs)


def default_repositories() -> list[Path]:
    """The project's repositories that can be served: with an installed or an embedded model."""
    return [
        ROOT / kind.repository
        for kind in KINDS.values()
        if kind.embedded.is_dir() or is_installed(kind, ROOT / kind.repository)
    ]


def copy_repository(source: Path, target: Path) -> Path:
    """Copy a model repository without the weights that are installed in it.

    Returns:
        `target`.
    """
    for config in source.glob("*/config.pbtxt"):
        model = target / config.parent.name
        (model / VERSION).mkdir(parents=True)
        shutil.copy(config, model)
        program = config.parent / VERSION / "model.py"
        if program.exists():
            shutil.copy(program, model / VERSION)
    return target


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Install a model into a model repository.")
    parser.add_argument("kind", choices=KINDS)
    parser.add_argument("--from", dest="source", type=Path, help="default: the embedded model")
    parser.add_argument("--repository", type=Path, help="default: the project's own")
    parser.add_argument("--onnx", default="model.onnx", help="default: %(default)s")
    options = parser.parse_args(arguments)
    kind = KINDS[options.kind]
    source = options.source or kind.embedded
    repository = options.repository or ROOT / kind.repository
    try:
        reports = install(kind, source, repository, options.onnx)
    except (InstallError, PrepareError, OSError) as error:
        print(f"install_model: {error}", file=sys.stderr)
        return 1
    print(f"{kind.name}: installed {source} in {repository}")
    print(*reports, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
