"""Defaults and checks of the options of the clients.

What is wrong is an `OptionError`, also where the rule is one of `asr_contract`.
"""

from __future__ import annotations

import math
import os
from collections.abc import Sequence

from asr_contract import ChunkSize, chunk_size_of, read_language
from asr_contract.access import KEY_VARIABLE

from .errors import OptionError

DEFAULT_TIMEOUT_S = 60.0  # enough for minutes of audio on a CPU
READY_TIMEOUT_S = 5.0  # a healthy server says whether it is ready within milliseconds
POLL_INTERVAL_S = 0.2  # between two looks at a server that is starting


def checked_timeout(timeout_s: float) -> float:
    """Return the timeout, or raise OptionError unless it is a finite number above 0."""
    if not isinstance(timeout_s, (int, float)) or not 0 < timeout_s < math.inf:
        raise OptionError(f"timeout_s: expected a number of seconds above 0; got {timeout_s!r}")
    return float(timeout_s)


def timeout_or(default_s: float, timeout_s: float | None) -> float:
    """Return the timeout of a call, or the client's where the call has none; checked."""
    return default_s if timeout_s is None else checked_timeout(timeout_s)


def checked_concurrency(concurrency: int) -> int:
    """Return the concurrency, or raise OptionError unless it is a whole number above 0."""
    if not isinstance(concurrency, int) or isinstance(concurrency, bool) or concurrency < 1:
        raise OptionError(f"concurrency: expected a whole number above 0; got {concurrency!r}")
    return concurrency


def checked_language(language: str) -> str:
    """Return the word as `LANGUAGE_IDS` has it, or raise OptionError."""
    try:
        return read_language(language)
    except ValueError as error:
        raise OptionError(str(error)) from None


def checked_chunk_size(chunk_size: Sequence[int] | None) -> ChunkSize | None:
    """Return the chunk size, or raise OptionError unless it is None or three whole numbers.

    Which of them a model knows, it says itself.
    """
    try:
        return None if chunk_size is None else chunk_size_of(chunk_size)
    except ValueError as error:
        raise OptionError(str(error)) from None


def key_headers(api_key: str | None = None) -> dict[str, str]:
    """Return what brings an API key to a server.

    Args:
        api_key: TRITON_ASR_API_KEY of the environment when left out; none is sent when empty.

    Raises:
        OptionError: it cannot stand in a header.
    """
    name = KEY_VARIABLE if api_key is None else "api_key"
    key = os.environ.get(KEY_VARIABLE, "") if api_key is None else api_key
    if not isinstance(key, str) or not key.isascii() or not (key.isprintable() or not key):
        raise OptionError(f"{name}: expected printable ASCII characters; got others")
    if not key:
        return {}
    return {"authorization": f"Bearer {key}"}


def checked_ca_file(ca_file: str | None) -> str | None:
    """Return the path, or raise OptionError unless it is None or a file."""
    if ca_file is not None and not os.path.isfile(ca_file):
        raise OptionError(f"ca_file: expected a PEM file; there is no file {ca_file!r}")
    return ca_file
