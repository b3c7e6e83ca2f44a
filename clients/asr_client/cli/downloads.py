"""Recordings behind an address, http or an object store's, fetched when their turn comes."""

from __future__ import annotations

import base64
import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from ..errors import AsrError, AudioError
from ..storage import storing
from .addresses import file_system
from .input_files import InputFile

MAX_BYTES = 8 << 30  # who sends more sends a stream without an end
TIMEOUT_S = 60.0  # without a byte
_BLOCK_BYTES = 1 << 18
_STORE_BLOCK_BYTES = 8 << 20  # a request to an object store
_HTTP = ("http://", "https://")
_UNQUOTED = "/?%:@!$&'()*+,;=~[]"  # what an address may hold as it is


@contextmanager
def local_path(source: InputFile, folder: str) -> Iterator[str]:
    """Give the path of a recording, fetched into a folder for as long as it is needed.

    ffmpeg is never given an address: it reads what is here, by the rules of all files.

    Raises:
        AudioError: it cannot be read, or not fetched whole.
        StorageFull: the folder has no room for it.
    """
    path = source.path
    if source.problem:
        raise AudioError(f"{source.shown}: {source.problem}")
    try:
        if source.is_url:
            path = _fetch(source.path, folder)
        yield path
    except AsrError as error:  # of which recording it speaks
        error.args = (str(error).replace(path, source.shown),)
        raise
    finally:
        if source.is_url:
            with suppress(FileNotFoundError):
                os.unlink(path)


def _fetch(url: str, folder: str) -> str:
    """Write what is behind an address into a file of a folder, and return its path."""
    number, path = tempfile.mkstemp(dir=folder)
    try:
        with storing(f"{url}: a copy in {folder}"), open(number, "wb") as file:
            for block in _blocks(url):
                file.write(block)
    except BaseException:
        os.unlink(path)
        raise
    return path


def _blocks(url: str) -> Iterator[bytes]:
    """Yield what is behind an address.

    Raises:
        AudioError: it cannot be had, ends before its time, or does not end.
        UsageError: what is needed for such an address is not installed.
    """
    received = 0
    for block in (_http_blocks if url.lower().startswith(_HTTP) else _stored_blocks)(url):
        received += len(block)
        if received > MAX_BYTES:
            raise AudioError(f"{url}: expected at most {MAX_BYTES} bytes; got more")
        yield block
    if not received:
        raise AudioError(f"{url}: the answer is empty")


def _stored_blocks(url: str) -> Iterator[bytes]:
    """Yield what is in an object store, or wherever else fsspec reads."""
    files, path = file_system(url)
    try:
        with files.open(path, "rb", block_size=_STORE_BLOCK_BYTES) as file:
            while block := file.read(_BLOCK_BYTES):
                yield block
    except Exception as error:  # each store has exceptions of its own
        raise AudioError(f"{url}: {error or type(error).__name__}") from error


def _http_blocks(url: str) -> Iterator[bytes]:
    """Yield what a server answers."""
    received = 0
    try:
        with urllib.request.urlopen(_request(url), timeout=TIMEOUT_S) as answer:
            length = answer.headers.get("Content-Length")
            while block := answer.read(_BLOCK_BYTES):
                received += len(block)
                yield block
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        said = " ".join(str(getattr(reason, "strerror", None) or reason).split())  # one line
        raise AudioError(f"{url}: {said}") from error
    if length is not None and received < int(length):
        raise AudioError(f"{url}: expected {length} bytes; the connection ended after {received}")


def _request(url: str) -> urllib.request.Request:
    """Ask for an address as people write it: with spaces, in any script, with a name and password.

    Raises:
        ValueError: it is none.
    """
    parts = urlsplit(url)
    user, _, host = parts.netloc.rpartition("@")
    if not host.isascii():
        host = host.encode("idna").decode()
    path, query = (quote(part, safe=_UNQUOTED) for part in (parts.path, parts.query))
    request = urllib.request.Request(urlunsplit((parts.scheme, host, path, query, "")))
    if user:
        name, _, password = user.partition(":")
        words = base64.b64encode(f"{unquote(name)}:{unquote(password)}".encode()).decode()
        request.add_unredirected_header("Authorization", f"Basic {words}")  # to this host only
    return request
