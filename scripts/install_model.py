"""Puts a model into a model repository, so that Triton can load it.

    python -m scripts.install_model sensevoice --from DIRECTORY [--repository model_repo_sensevoice]

DIRECTORY is laid out as FunASR's exporter and the model hubs lay it out: the exported ONNX file
with `config.yaml`, `am.mvn` and the vocabulary beside it. The graph is prepared for serving
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
from scripts.prepare_onnx import PrepareError, Report, prepare

ROOT = Path(__file__).resolve().parent.parent
EMBEDDED_MODELS = ROOT / "embedded_models"
VERSION = "1"  # every model here has one version
MANIFEST = "manifest.json"


@dataclass(frozen=True)
class ModelKind:
    """Where the files of one kind of model go.

    Attributes:
        name: as said on the command line; also its folder in `embedded_models`.
        repository: the model repository, relative to the project.
        encoder: the model that gets the graph.
        files: for each other model, the files it needs.
    """

    name: Literal["paraformer", "sensevoice"]
    repository: str
    encoder: str
    files: dict[str, tuple[str, ...]]


KINDS = {
    kind.name: kind
    for kind in (
        ModelKind(
            "sensevoice",
            "model_repo_sensevoice",
            "sensevoice_encoder",
            {
                "sensevoice_feature_extractor": ("am.mvn", "config.yaml"),
                "sensevoice_scoring": (TOKENIZER_NAME,),
            },
        ),
        ModelKind(
            "paraformer",
            "model_repo_paraformer_offline",
            "paraformer_encoder",
            {
                "paraformer_feature_extractor": ("am.mvn", "config.yaml"),
                "paraformer_scoring": ("tokens.json", "config.yaml"),
            },
        ),
    )
}


class InstallError(RuntimeError):
    """The model cannot be installed; what was installed before is untouched."""


def install(
    kind: ModelKind, source: Path, repository: Path, onnx_name: str = "model.onnx"
) -> Report:
    """Prepare a model's graph and put it with its tables into a model repository.

    Args:
        kind: which model.
        source: directory with the exported model.
        repository: the model repository to fill.
        onnx_name: the graph in `source`: `model.onnx`, or `model_quant.onnx` for int8.

    Returns:
        What the preparation found and proved.

    Raises:
        InstallError: a file is missing in `source`.
        PrepareError: the graph cannot be served.
    """
    needed = {onnx_name, *(name for names in kind.files.values() for name in names)}
    missing = sorted(name for name in needed if not (source / name).is_file())
    if missing:
        raise InstallError(f"{source}: expected {', '.join(missing)}, not found")
    with tempfile.TemporaryDirectory(dir=repository, prefix=".install-") as scratch:
        graph = Path(scratch) / "model.onnx"
        report = prepare(source / onnx_name, graph, kind=kind.name)
        manifest = {"source": source.name, "onnx": onnx_name, "preparation": asdict(report)}
        (Path(scratch) / MANIFEST).write_text(json.dumps(manifest, indent=2, default=str))
        for model, names in kind.files.items():
            for name in names:
                shutil.copy(source / name, version_folder(repository, model) / name)
        for name in (graph.name, MANIFEST):
            (Path(scratch) / name).replace(version_folder(repository, kind.encoder) / name)
    return report


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's only version, made if need be."""
    folder = repository / model / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_installed(kind: ModelKind, repository: Path) -> bool:
    """Whether a model has been installed into a repository."""
    return (repository / kind.encoder / VERSION / MANIFEST).is_file()


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
    source = options.source or EMBEDDED_MODELS / kind.name
    repository = options.repository or ROOT / kind.repository
    try:
        report = install(kind, source, repository, options.onnx)
    except (InstallError, PrepareError, OSError) as error:
        print(f"install_model: {error}", file=sys.stderr)
        return 1
    print(f"{kind.name}: installed {source} in {repository}")
    print(report)
    return 0


if __name__ == "__main__":
    sys.exit(main())
