"""Files that may be read: regular ones with something in them."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from ..errors import AudioError


def regular_file(path: str | os.PathLike[str]) -> Path:
    """Return the absolute path of a file.

    Raises:
        AudioError: it is not there, is empty, or is a folder, a pipe or a device; to read those
            could wait for ever.
    """
    name = os.fspath(path)
    try:
        status = os.stat(name)
    except (OSError, ValueError) as error:
        raise AudioError(f"{name}: {getattr(error, 'strerror', None) or error}") from error
    if stat.S_ISDIR(status.st_mode):
        raise AudioError(f"{name}: Is a directory")
    if not stat.S_ISREG(status.st_mode):
        raise AudioError(f"{name}: expected a regular file; got a pipe, a socket or a device")
    if status.st_size == 0:
        raise AudioError(f"{name}: the file is empty")
    return Path(os.path.abspath(name))
