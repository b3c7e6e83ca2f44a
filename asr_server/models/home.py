"""The user's copy of the model repositories, where those that come along are not to be written.

<home>/model_repo_*/<model>/config.pbtxt, 1/model.py    copied, refreshed when they change here
<home>/model_repo_*/<model>/warmup/*                    the same
<home>/model_repo_*/<model>/1/*, hotwords.txt           the user's, never touched
<home>/shipped.json                                     SHA-256 of each file when it was copied

What `install` has written into a configuration is not counted as a change, and stays.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

from asr_server.errors import InstallError
from asr_server.models.config_blocks import (
    CONFIG,
    WARM_UP_FOLDER,
    carry_installed,
    without_installed,
)
from asr_server.models.kinds import KINDS
from asr_server.models.repositories import VERSION, version_folder
from asr_server.places import HOME_VARIABLE, ROOT, home

_RECORD = "shipped.json"


def set_up_home(report: Callable[[str], None]) -> None:
    """Bring the copy of the model repositories up to date; nothing to do in a checkout.

    A file is written where it is missing, or where what comes along is no longer what was copied
    before. One that the user has changed is kept beside the new one, as `*.old`.

    Args:
        report: takes lines for the user: the folder, if anything was written.

    Raises:
        InstallError: the folder cannot be written.
    """
    target = home()
    if target == ROOT:
        return
    try:
        written = _copy(target, report)
    except OSError as error:
        raise InstallError(
            f"{target}: cannot be written ({error.strerror}); {HOME_VARIABLE} names another folder"
        ) from error
    if written:
        report(f"model repositories are in {target}")


def _copy(target: Path, report: Callable[[str], None]) -> bool:
    """Return whether anything was written."""
    record = target / _RECORD
    copied: dict[str, str] = json.loads(record.read_text()) if record.is_file() else {}
    present: dict[str, str] = {}
    written = False
    for name in _shipped_files():
        source, file = ROOT / name, target / name
        present[name] = _shipped_hash(source)
        if file.is_file() and copied.get(name) == present[name]:
            continue
        if file.is_file() and _shipped_hash(file) not in (copied.get(name), present[name]):
            kept = file.with_name(f"{file.name}.old")
            shutil.copyfile(file, kept)
            report(f"{file}: replaced by this version's; yours is now {kept.name}")
        content = source.read_bytes()
        if file.is_file() and file.name == CONFIG:
            old = file.read_text(encoding="utf-8")
            content = carry_installed(old, content.decode()).encode()
        _write(file, content)
        written = True
    for kind in KINDS.values():
        for model in kind.models:
            version_folder(target / kind.repository, model)
    if present != copied:
        _write(record, json.dumps(present, indent=2).encode())
    return written


def _shipped_files() -> Iterator[str]:
    """Give the paths, in the project, of what describes the models."""
    for kind in KINDS.values():
        for model in kind.models:
            for name in (CONFIG, f"{VERSION}/model.py"):
                path = f"{kind.repository}/{model}/{name}"
                if (ROOT / path).is_file():
                    yield path
            for file in sorted((ROOT / kind.repository / model / WARM_UP_FOLDER).glob("*")):
                yield file.relative_to(ROOT).as_posix()


def _shipped_hash(path: Path) -> str:
    """Return the SHA-256 of a file's content, what `install` writes into it left out."""
    content = path.read_bytes()
    if path.name == CONFIG:
        content = without_installed(content.decode()).encode()
    return hashlib.sha256(content).hexdigest()


def _write(path: Path, content: bytes) -> None:
    """Write a file at once, as another server may be reading it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.NamedTemporaryFile(dir=path.parent, delete=False) as file:
        file.write(content)
    Path(file.name).chmod(0o644)
    os.replace(file.name, path)
