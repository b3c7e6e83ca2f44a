"""Recordings behind an http:// or https:// address, fetched when their turn comes."""

from __future__ import annotations

import http.client
import os
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from ..errors import AsrError, AudioError
from .input_files import InputFile

MAX_BYTES = 8 << 30  # who sends more sends a stream without an end
TIMEOUT_S = 60.0  # without a byte
_BLOCK_BYTES = 1 << 18


@contextmanager
def local_path(source: InputFile, folder: str) -> Iterator[str]:
    """Give the path of a recording, fetched into a folder for as long as it is needed.

    ffmpeg is never given an address: it reads what is here, by the rules of all files.

    Raises:
        AudioError: it cannot be fetched whole.
    """
    path = source.path
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
        with open(number, "wb") as file:
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
    """
    received = 0
    try:
        with urllib.request.urlopen(url, timeout=TIMEOUT_S) as answer:
            length = answer.headers.get("Content-Length")
            while block := answer.read(_BLOCK_BYTES):
                received += len(block)
                if received > MAX_BYTES:
                    raise AudioError(f"{url}: expected at most {MAX_BYTES} bytes; got more")
                yield block
    except (OSError, http.client.HTTPException, ValueError) as error:
        reason = getattr(error, "reason", None) or error
        raise AudioError(f"{url}: {reason}") from error
    if length is not None and received < int(length):
        raise AudioError(f"{url}: expected {length} bytes; the connection ended after {received}")
    if not received:
        raise AudioError(f"{url}: the answer is empty")
