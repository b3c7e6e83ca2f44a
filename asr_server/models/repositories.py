"""The model repositories: which there are, what is installed in them, and copies of them."""

from __future__ import annotations

import shutil
from collections.abc import Collection
from pathlib import Path
from typing import Any

from asr_contract.text_files import read_json
from asr_server.models.config_blocks import CONFIG
from asr_server.models.kinds import KINDS, ModelKind
from asr_server.models.names import EMBEDDED_NAME, prepared_format
from asr_server.places import ROOT, home

VERSION = "1"  # every model here has one version
MANIFEST = "manifest.json"


def version_folder(repository: Path, model: str) -> Path:
    """Return the folder of a model's only version, made if need be."""
    folder = repository / model / VERSION
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def is_installed(kind: ModelKind, repository: Path) -> bool:
    """Return whether a model has been installed into a repository."""
    return all((repository / graph.model / VERSION / MANIFEST).is_file() for graph in kind.graphs)


def default_repositories() -> list[Path]:
    """Return the repositories of `home` that can be served: with an installed or embedded model."""
    served = (
        home() / kind.repository
        for kind in KINDS.values()
        if kind.embedded.is_dir() or is_installed(kind, home() / kind.repository)
    )
    return list(dict.fromkeys(served))  # one may hold models of several kinds


def missing_kinds(repositories: Collection[Path]) -> list[ModelKind]:
    """Return the kinds whose embedded model is to be installed into one of these repositories.

    That is where its repository of `home` is among them and has no model of the kind, or the
    embedded one as an older version prepared it.
    """
    return [
        kind
        for kind in KINDS.values()
        if kind.embedded.is_dir()
        and (repository := home() / kind.repository) in repositories
        and (
            not is_installed(kind, repository)
            or (_is_outdated(kind, repository) and _is_embedded(kind, repository))
        )
    ]


def outdated_kinds(repositories: Collection[Path]) -> list[ModelKind]:
    """Return the kinds of which one of these repositories has a model in an older format."""
    return [
        kind
        for kind in KINDS.values()
        for repository in repositories
        if is_installed(kind, repository) and _is_outdated(kind, repository)
    ]


def lacking_files(kind: ModelKind, repository: Path) -> list[str]:
    """Return the files that a kind's models need and that are not there, as paths in it."""
    paths = (f"{model}/{VERSION}/{name}" for model, names in kind.files.items() for name in names)
    return [path for path in paths if not (repository / path).is_file()]


def _is_outdated(kind: ModelKind, repository: Path) -> bool:
    """Return whether it was prepared, or put in, by an older version."""
    if lacking_files(kind, repository):
        return True
    expected = prepared_format(kind.name)
    return any(one.get("format") != expected for one in _manifests(kind, repository))


def _is_embedded(kind: ModelKind, repository: Path) -> bool:
    return all(
        one.get("name") == EMBEDDED_NAME or one.get("source") == kind.embedded.name
        for one in _manifests(kind, repository)
    )


def _manifests(kind: ModelKind, repository: Path) -> list[dict[str, Any]]:
    paths = (repository / graph.model / VERSION / MANIFEST for graph in kind.graphs)
    return [read_json(path) for path in paths]


def empty_kinds(repositories: Collection[Path]) -> list[ModelKind]:
    """Return the kinds whose models are in one of these repositories, but without any weights.

    Weights that somebody put there by hand, without a manifest, are weights.
    """
    return [
        kind
        for kind in KINDS.values()
        for repository in repositories
        if (repository / kind.encoder).is_dir()
        and not any(_files(repository / graph.model) for graph in kind.graphs)
    ]


def _files(model: Path) -> list[Path]:
    return list((model / VERSION).glob("[!.]*"))


def models_without(kinds: Collection[ModelKind], repositories: Collection[Path]) -> list[str]:
    """Return the models in these repositories, those of some kinds left out."""
    left_out = {model for kind in kinds for model in kind.models}
    folders = (path.parent for each in repositories for path in each.glob("*/config.pbtxt"))
    return sorted(folder.name for folder in folders if folder.name not in left_out)


def models_of(name: str) -> list[str]:
    """Return the Triton models that belong to a kind of models, or to one of its models.

    Some are called by others and not listed by them, so that they are loaded together.
    """
    for kind in KINDS.values():
        if name == kind.name or name in kind.models:
            return list(kind.models)
    return [name]


def copy_repository(kind: ModelKind, target: Path, source: Path | None = None) -> Path:
    """Copy the models of one kind, without the weights that are installed in them.

    Args:
        kind: whose models are copied.
        target: a model repository to be, which may hold other models already.
        source: the one to copy; what comes along when left out.

    Returns:
        `target`.
    """
    source = source or ROOT / kind.repository
    for model in kind.models:
        (target / model / VERSION).mkdir(parents=True)
        shutil.copy(source / model / CONFIG, target / model)
        program = source / model / VERSION / "model.py"
        if program.exists():
            shutil.copy(program, target / model / VERSION)
    return target
