"""Models prepared once and kept: preparing full-size ones takes longer than measuring them."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Literal

from scripts.file_hashes import hash_file
from scripts.install_model import EMBEDDED_MODELS, ROOT, ModelKind, copy_repository, install

Precision = Literal["fp32", "int8"]


def installed(kind: ModelKind, source: Path, work: Path, precision: Precision = "fp32") -> Path:
    """Return a repository with a model in it, as this checkout has it.

    The weights are those of an earlier run where there was one with the same code for preparing
    them; all else is copied anew.

    Args:
        kind: which model.
        source: the exported model.
        work: keeps it.
        precision: int8 is made by the default recipe.
    """

    def write(target: Path) -> None:
        copy_repository(ROOT / kind.repository, target)
        if precision == "fp32":
            install(kind, source, target)
        else:
            _install_int8(kind, source, target)

    own = ROOT / kind.repository
    name = f"{kind.repository}-{precision}"
    current = work / f"{name}-{_preparation()}"
    for outdated in set(work.glob(f"{name}-*")) - {current}:
        shutil.rmtree(outdated)
    repository = prepared(current, write)
    for path in [*own.glob("*/config.pbtxt"), *own.glob("*/*/model.py")]:
        if precision == "fp32" or path.name == "model.py":  # int8 has batch sizes of its own
            shutil.copyfile(path, repository / path.relative_to(own))
    return repository


def _preparation() -> str:
    """Return what tells one version of the code that prepares graphs from another."""
    files = sorted((ROOT / "scripts" / "onnx_graph").glob("*.py"))
    return hashlib.sha256("".join(map(hash_file, files)).encode()).hexdigest()[:8]


def _install_int8(kind: ModelKind, source: Path, target: Path) -> None:
    from scripts.model_install import agreement
    from scripts.model_install.installed import Material
    from scripts.model_install.precision import choose, install_converted

    samples = EMBEDDED_MODELS / "samples"
    recordings = agreement.read_recordings(sorted(samples.glob("*.wav")))
    material = Material(recordings, agreement.read_texts(samples / "transcripts.tsv"))
    choice = choose(kind, "int8", None, str(source))
    install_converted(kind, source, target, choice, material)


def prepared(folder: Path, write: Callable[[Path], object]) -> Path:
    """Return a folder, written by `write` unless an earlier run completed it."""
    if not folder.exists():
        unfinished = folder.with_name(folder.name + ".unfinished")
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        write(unfinished)
        unfinished.rename(folder)
    return folder
