"""API keys: where a server and a gateway read theirs, how they are compared, and who needs none."""

from __future__ import annotations

import hmac
import ipaddress
from collections.abc import Mapping, Sequence

from .text_files import read_text

KEY_VARIABLE = "TRITON_ASR_API_KEY"


def read_keys(environment: Mapping[str, str], file: str | None) -> list[str]:
    """Return the keys that let clients in: the environment's, and those of a file, one a line.

    Args:
        environment: may have `KEY_VARIABLE`.
        file: its path, from `--api-key-file`; None or "" for none.

    Raises:
        OSError: the file cannot be read.
        ValueError: it is no text, or there is no key though there is a file.
    """
    keys = [environment[KEY_VARIABLE]] if environment.get(KEY_VARIABLE) else []
    if file:
        keys += [line.strip() for line in read_text(file).splitlines() if line.strip()]
        if not keys:
            raise ValueError(f"--api-key-file: expected keys; {file} is empty")
    return keys


def is_one_of(given: str, keys: Sequence[str]) -> bool:
    """Return whether a key is one of these; how long that takes tells nothing about them."""
    found = [hmac.compare_digest(key.encode(), given.encode()) for key in keys]  # always all
    return any(found)


def is_loopback(host: str) -> bool:
    """Return whether an address to listen on can be reached from this machine only."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False  # another name, or "" for all interfaces
