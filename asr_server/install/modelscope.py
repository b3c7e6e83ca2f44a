"""ModelScope, through the `modelscope` package.

The package continues unfinished files, also those of an earlier process, shows progress, and
checks each file against the SHA-256 of the repository's listing.
"""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from asr_server.errors import DownloadError, HubUnreachableError

DEFAULT_REVISION = "master"


def download(repository: str, patterns: Sequence[str], revision: str | None) -> tuple[Path, str]:
    """Download matching files; returns their folder and the branch or tag they belong to.

    Without a network the package's cache is taken.

    Raises:
        ImportError: the package is missing.
        HubUnreachableError: no connection, and nothing in the cache.
        DownloadError: no such repository or revision, or content that does not match its hash.
    """
    from modelscope.hub.snapshot_download import snapshot_download

    def fetch(local_files_only: bool) -> Path:
        return Path(
            snapshot_download(
                repository,
                revision=revision,
                allow_patterns=list(patterns),
                local_files_only=local_files_only,
            )
        )

    found = revision or DEFAULT_REVISION
    try:
        return fetch(local_files_only=False), found
    except Exception as error:  # the classes differ between the package's versions
        if getattr(error, "failed_files", None):
            raise DownloadError(
                f"modelscope: {repository}: {error}\nThe same command again continues."
            ) from error
        if not _is_connection_failure(error):
            raise DownloadError(f"modelscope: {repository}: {error}") from error
        try:
            directory = fetch(local_files_only=True)
        except Exception:
            raise HubUnreachableError(f"modelscope: cannot be reached: {error}") from error
        logging.getLogger(__name__).warning(
            "modelscope cannot be reached; taking %s from the cache", repository
        )
        return directory, found


def list_files(repository: str, revision: str | None) -> list[str]:
    """Return the paths of a repository's files."""
    from modelscope.hub.api import HubApi

    listing = HubApi().get_model_files(repository, revision or DEFAULT_REVISION, recursive=True)
    return [entry["Path"] for entry in listing]


def _is_connection_failure(error: BaseException | None) -> bool:
    """Return whether the package failed for want of a connection, by the chain of its causes."""
    from requests import ConnectionError as RequestsConnectionError

    while error is not None:
        if isinstance(error, (ConnectionError, RequestsConnectionError)):
            return True
        error = error.__cause__
    return False
