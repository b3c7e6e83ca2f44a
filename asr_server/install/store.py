"""Keeps several installed models and puts one of them into a model repository.

    <store>/<kind>/<name>/<Triton model>/1/<file>

Each entry is a repository's weights, ready to be put in place; the folder `.cache/models` is no
part of the project's history. Files are linked, not copied, where the file system can.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from asr_contract.text_files import read_json
from asr_server.errors import InstallError
from asr_server.install.into_repository import fitted_config
from asr_server.models import MANIFEST, VERSION, prepared_format
from asr_server.models.config_blocks import CONFIG

# What belongs to a model repository and not to the model that is installed in it.
_REPOSITORY_FILES = frozenset({"model.py", ".gitkeep"})
_UNFINISHED = ".unfinished-"


@dataclass(frozen=True)
class StoredModel:
    """An entry of the store."""

    kind: str
    name: str
    directory: Path

    def manifest(self) -> dict[str, Any]:
        """Return what is recorded of it."""
        return read_manifest(self.directory, self.kind) or {}


@contextmanager
def new_entry(store: Path, kind: str, name: str) -> Iterator[Path]:
    """Give a folder to fill, which becomes the entry where the block ends without an error.

    An older entry of that name is replaced then, and not before.

    Raises:
        InstallError: the name cannot be a folder's.
    """
    if not name or name.startswith(".") or "/" in name:
        raise InstallError(f"{name!r}: expected a name without '/' that does not begin with '.'")
    folder = store / kind
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=_UNFINISHED) as scratch:
        entry = Path(scratch) / "new"
        entry.mkdir()
        yield entry
        target = folder / name
        if target.exists():
            target.rename(Path(scratch) / "old")
        entry.rename(target)


def list_models(store: Path) -> list[StoredModel]:
    """Return all entries, by kind and name."""
    return [
        StoredModel(path.parent.name, path.name, path)
        for path in sorted(store.glob("*/*"))
        if path.is_dir() and not path.name.startswith(".")
    ]


def find_model(store: Path, kind: str, name: str) -> StoredModel:
    """Return an entry that can be put in place.

    Raises:
        InstallError: there is none, and the message lists those of its kind; or it was prepared by
            an older version.
    """
    of_kind = [model for model in list_models(store) if model.kind == kind]
    for model in of_kind:
        if model.name == name:
            if model.manifest().get("format") != prepared_format(kind):
                raise InstallError(
                    f"{model.directory}: prepared by an older version, whose graphs this one does "
                    "not serve; install it again"
                )
            return model
    known = ", ".join(model.name for model in of_kind) or "none"
    raise InstallError(f"{store}: no {kind} model {name}; there are: {known}")


def read_manifest(repository: Path, kind: str) -> dict[str, Any] | None:
    """Return the manifest of the model of a kind in a repository or an entry; None without one."""
    for path in sorted(repository.glob(f"*/*/{MANIFEST}")):
        manifest = read_json(path)
        if isinstance(manifest, dict) and manifest.get("kind") == kind:
            return manifest
    return None


def put_in_place(entry: Path, repository: Path) -> None:
    """Replace the weights in a repository by those of an entry: all of them or none.

    The configurations are made to fit the graphs.

    Everything is brought onto the repository's file system first; what remains are renames, and
    where one fails the earlier ones are taken back.

    Args:
        entry: `<Triton model>/<version>/<file>`.
        repository: has these models.

    Raises:
        InstallError: the repository lacks one of the models.
        OSError: a file cannot be written; the repository is as before.
    """
    new = sorted(path.relative_to(entry) for path in entry.rglob("*") if path.is_file())
    models = sorted({path.parts[0] for path in new})
    missing = [model for model in models if not (repository / model).is_dir()]
    if missing:
        raise InstallError(f"{repository}: expected models {', '.join(missing)}, not found")
    with tempfile.TemporaryDirectory(dir=repository, prefix=".install-") as scratch:
        arriving, leaving = Path(scratch) / "arriving", Path(scratch) / "leaving"
        for path in new:
            link_or_copy(entry / path, arriving / path)
        old = [
            path.relative_to(repository)
            for model in models
            for path in (repository / model).glob("*/*")
            if path.is_file() and path.name not in _REPOSITORY_FILES
        ]
        configs = _changed_configs(entry, repository, models)
        for path, text in configs.items():
            (arriving / path).write_text(text, encoding="utf-8")
        new += configs
        old += configs
        undo: list[tuple[Path, Path]] = []
        try:
            for path in old:
                _move(repository / path, leaving / path, undo)
            # The manifest says that a model is installed, so it comes last.
            for path in sorted(new, key=lambda path: path.name == MANIFEST):
                _move(arriving / path, repository / path, undo)
        except BaseException:
            for source, target in reversed(undo):
                os.replace(target, source)
            raise


def _changed_configs(entry: Path, repository: Path, models: Iterable[str]) -> dict[Path, str]:
    """Return the new text of each configuration that does not fit the graphs of an entry."""
    changed = {}
    for model in models:
        path = Path(model) / CONFIG
        text = (repository / path).read_text(encoding="utf-8")
        fitted = fitted_config(text, entry / model / VERSION)
        if fitted != text:
            changed[path] = fitted
    return changed


def _move(source: Path, target: Path, undo: list[tuple[Path, Path]]) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)
    undo.append((source, target))


def link_or_copy(source: Path, target: Path) -> None:
    """Put a file at a place that is free, without a copy where the file system can."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without links
        shutil.copy(source, target)
