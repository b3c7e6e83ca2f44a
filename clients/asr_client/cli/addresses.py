"""Names of recordings that are addresses: object stores, and what anybody may answer."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from .common import UsageError

_URL = re.compile(r"[a-z][a-z0-9+.-]*://", re.IGNORECASE)

# They answer to who has keys for them. What else is fetched connects to whatever host is named.
OBJECT_STORES = (
    *("s3://", "s3a://", "gs://", "gcs://", "abfs://", "abfss://", "az://"),
    *("oss://", "obs://", "cos://", "hdfs://"),
)
ARCHIVE_EXTRA = 'pip install "triton-asr[archive]"'


def is_url(path: str) -> bool:
    """Return whether a name is an address, such as s3://bucket/talk.flac."""
    return _URL.match(path) is not None


def require_leave(paths: Iterable[str], *, allow_urls: bool) -> None:
    """Refuse addresses outside object stores unless they are allowed.

    Raises:
        UsageError: one is not.
    """
    for path in () if allow_urls else paths:
        if is_url(path) and not path.lower().startswith(OBJECT_STORES):
            raise UsageError(f"{path}: to fetch it give --allow-urls, too")


def file_system(url: str) -> tuple[Any, str]:
    """Return fsspec's file system of an address, and the path in it.

    Raises:
        UsageError: fsspec, or what it needs for this kind of address, is not installed, or the
            address is a chain of several.
    """
    if "::" in url:
        raise UsageError(f"{url}: expected one address; got a chain of them ('::')")
    try:
        import fsspec
    except ImportError:
        raise UsageError(f"{url}: addresses need fsspec: {ARCHIVE_EXTRA}") from None
    try:
        found = fsspec.core.url_to_fs(url)
    except (ImportError, ValueError) as error:  # its message names the package
        raise UsageError(f"{url}: {error}") from error
    return found[0], str(found[1])
