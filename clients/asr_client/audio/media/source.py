"""What is decoded, as a file: many containers are not readable in order."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path
from typing import BinaryIO, TypeAlias, Union

from ...errors import AudioError
from ...storage import is_full, storing, temporary_folder
from ..sources import regular_file

MediaSource: TypeAlias = Union[str, "os.PathLike[str]", bytes, bytearray, memoryview, BinaryIO]


def name_of(source: MediaSource) -> str:
    """Return what to call the source in messages."""
    if isinstance(source, (str, os.PathLike)):
        return os.fspath(source)
    if isinstance(source, (bytes, bytearray, memoryview)):
        return f"{len(source)} bytes"
    return "the file object"


def file_of(source: MediaSource, stack: contextlib.AsyncExitStack) -> Path:
    """Return an absolute path that holds the source's bytes, temporary if it must be.

    Args:
        source: what was given.
        stack: removes what is temporary.

    Raises:
        AudioError: there is no such file, or nothing in it.
        StorageFull: there is no room for it.
    """
    if isinstance(source, (str, os.PathLike)):
        return regular_file(source)
    if not isinstance(source, (bytes, bytearray, memoryview)) and not hasattr(source, "read"):
        raise AudioError(
            "expected a path, bytes, a binary file object or Pcm to be read as a file; "
            f"got {type(source).__name__}"
        )
    folder = stack.enter_context(temporary_folder())
    path = Path(folder, "media")
    with storing("a temporary file of the audio"), path.open("wb") as file:
        if isinstance(source, (bytes, bytearray, memoryview)):
            file.write(source)
        else:
            try:
                shutil.copyfileobj(source, file)
            except OSError as error:
                if is_full(error):
                    raise
                raise AudioError(f"the file object: {error.strerror or error}") from error
            except TypeError:
                raise AudioError("expected a file object opened in binary mode") from None
        if file.tell() == 0:
            raise AudioError(f"{name_of(source)}: the file is empty")
    return path
