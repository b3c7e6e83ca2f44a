"""Models as they are installed, prepared once in a run of the suite, whichever process is first."""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import tempfile
from pathlib import Path

from asr_server.install import install
from asr_server.models import Device, ModelKind, copy_repository

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
    if _VARIABLE not in os.environ:
        install(kind, source, copy_repository(kind, repository), device=device)
        return
    key = hashlib.sha256(f"{kind.name} {source.resolve()} {device}".encode()).hexdigest()[:16]
    prepared = Path(os.environ[_VARIABLE], key)
    with prepared.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not prepared.is_dir():
            making = prepared.with_suffix(".making")
            shutil.rmtree(making, ignore_errors=True)
            install(kind, source, copy_repository(kind, making), device=device)
            making.rename(prepared)
    shutil.copytree(prepared, repository, dirs_exist_ok=True)
