"""Models as they are installed, prepared once in a run of the suite, whichever process is first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path

from asr_server.commands.install import main
from asr_server.install import install
from asr_server.models import KINDS, Device, ModelKind, copy_repository

_VARIABLE = "TRITON_ASR_TEST_PREPARED"  # the folder; processes that a run starts share it


def make_folder() -> None:
    """Make the folder of a run of the suite."""
    os.environ[_VARIABLE] = tempfile.mkdtemp(prefix="prepared-models-")


def remove_folder() -> None:
    """Remove it."""
    shutil.rmtree(os.environ.pop(_VARIABLE), ignore_errors=True)


def put(kind: ModelKind, source: Path, repository: Path, device: Device = "cpu") -> None:
    """Add the models of a kind to a repository as `copy_repository` and `install` do.

    Args:
        kind: which models.
        source: directory with the exported model; it does not change during the run.
        repository: a folder that may hold models of other kinds.
        device: as in `install`.
    """

    def make(folder: Path) -> None:
        install(kind, source, copy_repository(kind, folder), device=device)

    _copy_made(f"{kind.name} {source.resolve()} {device}", make, repository)


def put_embedded(name: str, precision: str, folder: Path) -> str:
    """Install an embedded model in a precision, by the command, in `folder / "repository"`.

    Args:
        name: of its kind.
        precision: as of `install --precision`.
        folder: empty; gets the store, too.

    Returns:
        What the command printed.
    """

    def make(folder: Path) -> None:
        repository = copy_repository(KINDS[name], folder / "repository")
        places = ["--store", str(folder / "store"), "--repository", str(repository)]
        with (folder / "said.txt").open("w") as said, redirect_stdout(said):
            assert main([name, "--precision", precision, *places]) == 0

    _copy_made(f"embedded {name} {precision}", make, folder)
    return (folder / "said.txt").read_text()


def _copy_made(what: str, make: Callable[[Path], None], target: Path) -> None:
    """Copy what `make` writes into a folder, once for all processes of the run."""
    if _VARIABLE not in os.environ:
        make(target)
        return
    prepared = Path(os.environ[_VARIABLE], hashlib.sha256(what.encode()).hexdigest()[:16])
    with prepared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not prepared.is_dir():
            making = prepared.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            make(making)
            making.rename(prepared)
    shutil.copytree(prepared, target, dirs_exist_ok=True)
