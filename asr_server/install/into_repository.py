"""Puts a model into a model repository, so that Triton can load it.

    python -m scripts.install_model sensevoice --from iic/SenseVoiceSmall
    python -m scripts.install_model paraformer --from DIRECTORY --precision int8
    python -m scripts.install_model list
    python -m scripts.install_model use paraformer NAME

The model comes from ModelScope, Hugging Face or a directory laid out as FunASR's exporter and the
hubs lay it out (`asr_server/install`). Its graphs are prepared for serving
(`scripts.prepare_onnx`), which proves the result, and compared with `funasr_onnx` on recordings; a
model that fails leaves the installed one as it was.
"""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Literal

from asr_core.features.requests import LIMITS_FILE
from asr_core.paraformer.hotword_embedder import EMBEDDER_FILE
from asr_core.paraformer.hotword_tokenizer import SEGMENTATION_FILE
from asr_core.sensevoice.scoring import NUM_TAG_FRAMES, TOKENIZER_NAME
from asr_server.commands.prepare import Report, prepare
from asr_server.errors import InstallError
from asr_server.graphs.hotword_embedder import convert_embedder
from asr_server.graphs.preparation import KindChoice
from asr_server.graphs.report import TAKES_HOTWORDS
from asr_server.places import ROOT

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
        unsupported: files of which each means a model that cannot be served, and why.
        ensemble: the Triton model that chains the others, where there is one.
    """

    name: Literal[
        "paraformer",
        "sensevoice",
        "paraformer-online",
        "vad",
        "punctuation",
        "punctuation-online",
    ]
    repository: str
    graphs: tuple[ExportedGraph, ...]
    files: dict[str, tuple[str, ...]]
    unsupported: Mapping[str, str] = field(default_factory=dict)
    ensemble: str | None = None

    @property
    def encoder(self) -> str:
        """The Triton model of the encoder."""
        return self.graphs[0].model

    @property
    def models(self) -> list[str]:
        """All Triton models of this kind."""
        chain = [self.ensemble] if self.ensemble else []
        return [*chain, *(graph.model for graph in self.graphs), *self.files]

    @property
    def embedded(self) -> Path:
        """Folder of the small model that comes with the project."""
        return EMBEDDED_MODELS / self.name.replace("-", "_")


_WORD_LEVEL = {
    "jieba_usr_dict": "it sets marks after Chinese words as jieba cuts them, and jieba is not used "
    "here; take a model that reads characters"
}

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
            ensemble="sensevoice",
        ),
        ModelKind(
            "paraformer",
            "model_repo_paraformer_offline",
            (ExportedGraph("paraformer_encoder", "model", "paraformer"),),
            {
                "paraformer_feature_extractor": ("am.mvn", "config.yaml", "tokens.json"),
                "paraformer_scoring": ("tokens.json", "config.yaml"),
            },
            ensemble="infer_pipeline",
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
                "streaming_feature_extractor": (),
                "streaming_cif_search": ("tokens.json", "config.yaml"),
            },
            ensemble="streaming_paraformer",
        ),
        ModelKind(
            "vad",
            "model_repo_auxiliary",
            (ExportedGraph("vad_encoder", "model", "vad", ("config.yaml",)),),
            {"vad": ("am.mvn", "config.yaml")},
        ),
        ModelKind(
            "punctuation",
            "model_repo_auxiliary",
            (ExportedGraph("punctuation_encoder", "model", "punctuation"),),
            {"punctuation": ("tokens.json", "config.yaml")},
            _WORD_LEVEL,
        ),
        ModelKind(
            "punctuation-online",
            "model_repo_auxiliary",
            (ExportedGraph("punctuation_online_encoder", "model", "punctuation_online"),),
            {"punctuation_online": ("tokens.json", "config.yaml")},
            _WORD_LEVEL,
        ),
    )
}


def install(
    kind: ModelKind,
    source: Path,
    repository: Path,
    onnx_name: str = "model.onnx",
    row_by_row: bool = False,
) -> list[Report]:
    """Prepare a model's graphs and put them with its tables into a model repository.

    Args:
        kind: which model.
        source: directory with the exported model.
        repository: the model repository to fill.
        onnx_name: the encoder's graph in `source`: `model.onnx`, or `model_quant.onnx` for int8. A
            decoder's is named alike: `decoder.onnx`, `decoder_quant.onnx`.
        row_by_row: as in `prepare`.

    Returns:
        For each graph, what the preparation found and proved.

    Raises:
        InstallError: a file is missing in `source`, or the model is of an unsupported sort.
        PrepareError: a graph cannot be served.
    """
    onnx_names = graph_names(kind, onnx_name)
    needed = {*onnx_names, *(name for graph in kind.graphs for name in graph.files)}
    needed.update(name for names in kind.files.values() for name in names)
    missing = sorted(name for name in needed if not (source / name).is_file())
    if missing:
        raise InstallError(f"{source}: expected {', '.join(missing)}, not found")
    for name, reason in kind.unsupported.items():
        if (source / name).exists():
            raise InstallError(f"{source}: expected a model without {name}: {reason}")
    reports = []
    with tempfile.TemporaryDirectory(dir=repository, prefix=".install-") as scratch:
        # Nothing is put in place before the last graph is proved.
        for graph, name in zip(kind.graphs, onnx_names, strict=True):
            folder = Path(scratch) / graph.model
            folder.mkdir()
            report = prepare(
                source / name, folder / "model.onnx", kind=graph.kind, row_by_row=row_by_row
            )
            manifest = {"source": source.name, "onnx": name, "preparation": asdict(report)}
            (folder / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str))
            reports.append(report)
        hotword_files = collect_hotword_files(source, onnx_names[0], reports[0], Path(scratch))
        for model, names in kind.files.items():
            for name in names:
                shutil.copy(source / name, version_folder(repository, model) / name)
        put_hotword_files(kind, repository, hotword_files)
        write_limits(kind, repository, reports[0])
        for graph in kind.graphs:
            for path in (Path(scratch) / graph.model).iterdir():
                path.replace(version_folder(repository, graph.model) / path.name)
    return reports


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
    served = (
        ROOT / kind.repository
        for kind in KINDS.values()
        if kind.embedded.is_dir() or is_installed(kind, ROOT / kind.repository)
    )
    return list(dict.fromkeys(served))  # one may hold models of several kinds


def copy_repository(kind: ModelKind, target: Path, source: Path | None = None) -> Path:
    """Copy the models of one kind, without the weights that are installed in them.

    Args:
        target: a model repository to be, which may hold other models already.
        source: the one to copy; the project's own when left out.

    Returns:
        `target`.
    """
    source = source or ROOT / kind.repository
    for model in kind.models:
        (target / model / VERSION).mkdir(parents=True)
        shutil.copy(source / model / "config.pbtxt", target / model)
        program = source / model / VERSION / "model.py"
        if program.exists():
            shutil.copy(program, target / model / VERSION)
    return target


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; returns the exit status."""
    from asr_server.commands.install import run  # it needs what this module defines

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
