"""The processes of a running server: itself and the stubs of its Python models."""

from __future__ import annotations

import os
import signal
from contextlib import suppress
from pathlib import Path

from scripts.triton_installation import STUB_NAME


def session_members(session: int) -> list[int]:
    """Ids of the live processes of a session, zombies left out."""
    members = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # after the name in brackets: state, parent, group, session (man proc_pid_stat)
            state, _, _, owner = (entry / "stat").read_text().rpartition(")")[2].split()[:4]
        except (OSError, ValueError):
            continue  # it ended meanwhile
        if int(owner) == session and state != "Z":
            members.append(int(entry.name))
    return members


def stub_instances(session: int) -> set[str]:
    """Names of the model instances that have a live stub, such as `vad_0_0`."""
    instances = set()
    for pid in session_members(session):
        with suppress(OSError):
            words = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")
            if Path(words[0].decode()).name == STUB_NAME and len(words) > 8:
                instances.add(words[8].decode())
    return instances


def kill_process(pid: int) -> None:
    """SIGKILL, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
