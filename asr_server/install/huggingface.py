"""Hugging Face, through the `huggingface_hub` package.

The package continues a file when the connection breaks, keeps finished files, and shows progress.
It checks sizes only, so that the hashes are checked here.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Sequence
from pathlib import Path

from asr_server.errors import DownloadError, HubUnreachableError
from asr_server.file_hashes import hash_file

_SHA256_DIGITS, _SHA1_DIGITS = 64, 40


def download(repository: str, patterns: Sequence[str], revision: str | None) -> tuple[Path, str]:
    """Download matching files; returns their folder and the commit they belong to.

    Without a network the package's cache is taken, if it is complete.

    Raises:
        ImportError: the package is missing.
        HubUnreachableError: no connection, and no complete copy in the cache.
        DownloadError: no such repository or revision, or content that does not match its hash.
    """
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, LocalEntryNotFoundError

    try:
        directory = Path(
            snapshot_download(repository, revision=revision, allow_patterns=list(patterns))
        )
    except LocalEntryNotFoundError as error:
        raise HubUnreachableError(f"huggingface: cannot be reached: {error}") from error
    except (HfHubHTTPError, OSError, ValueError) as error:
        raise DownloadError(f"huggingface: {repository}: {error}") from error
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            _check(path)
    return directory, directory.name


def list_files(repository: str, revision: str | None) -> list[str]:
    """Return the paths of a repository's files."""
    from huggingface_hub import list_repo_files

    return list_repo_files(repository, revision=revision)


def _check(path: Path) -> None:
    """Compare a file with the hash that the hub gave, and remove it where it differs.

    In the cache a file is a link to a blob named by that hash: SHA-256 for large files, git's
    hash for others (https://huggingface.co/docs/huggingface_hub/guides/manage-cache).

    Raises:
        DownloadError: it differs, or there is no hash.
    """
    expected = Path(os.readlink(path)).name if path.is_symlink() else ""
    if len(expected) == _SHA256_DIGITS:
        got = hash_file(path)
    elif len(expected) == _SHA1_DIGITS:
        content = path.read_bytes()
        header = b"blob %d\0" % len(content)
        got = hashlib.sha1(header + content, usedforsecurity=False).hexdigest()
    else:
        raise DownloadError(f"huggingface: {path.name}: came without a hash to check it by")
    if got == expected:
        return
    blob = path.resolve()
    path.unlink()
    blob.unlink()
    raise DownloadError(
        f"huggingface: {path.name}: hash mismatch: expected {expected}, got {got}; the file was "
        "removed from the cache"
    )
