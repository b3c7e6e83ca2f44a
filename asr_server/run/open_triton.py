"""Triton's own ports, open to clients: for those who trust all of theirs."""

from __future__ import annotations

import secrets
from pathlib import Path

from asr_server.sockets import KEY_FILE

KEY_HEADER = "triton-asr-control"
_NEVER_OPEN = "shared-memory,trace,logging,model-repository"

OPEN_WARNING = (
    "WARNING: Triton's own ports are open. Anybody who can reach them, a web page in a browser on "
    "this machine too, can end this server with one small request, or fill its memory."
)


def restricted(folder: Path) -> list[str]:
    """Return the flags that keep what changes the server from its clients, with a new key.

    The key stands in a file for the commands of this user. Others see it among the processes: it
    keeps out pages and other machines.

    Args:
        folder: private; gets the key.
    """
    key = secrets.token_hex(16)
    file = folder / KEY_FILE
    file.touch(mode=0o600)
    file.write_text(key)
    rule = f"{_NEVER_OPEN}:{KEY_HEADER}={key}"
    return [f"--http-restricted-api={rule}", f"--grpc-restricted-protocol={rule}"]


def control_key(folder: Path) -> str | None:
    """Return the key of a server; None of one that needs none."""
    file = folder / KEY_FILE
    return file.read_text() if file.exists() else None
