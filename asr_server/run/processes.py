"""The processes of a running server: how it is bound to its starter, and its models' stubs."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from asr_server.run.installation import STUB_NAME

# Runs before the program, in its process: asks the kernel to end it with the starter, then becomes
# it. A pre-exec hook in the parent would do the same, but runs Python between fork and exec,
# which can deadlock where gRPC has started its threads. 1 is PR_SET_PDEATHSIG, 15 SIGTERM.
_EXEC_BOUND_TO_STARTER = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit('the starter has ended')\n"
    "os.execv(sys.argv[2], sys.argv[2:])\n"
)


def bound_to_starter(command: Sequence[str]) -> list[str]:
    """Return a command that runs another, and ends it with the thread that starts it.

    Args:
        command: the program's path and its arguments.
    """
    # -I -S: nothing of this environment is needed to call prctl
    isolated = [sys.executable, "-I", "-S", "-c", _EXEC_BOUND_TO_STARTER]
    return [*isolated, str(os.getpid()), *command]


def session_members(session: int) -> list[int]:
    """Return the ids of the live processes of a session, zombies left out."""
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


def stub_processes(session: int) -> dict[int, str]:
    """Return the live stubs: process id, and the name of its model instance, such as `vad_0_0`."""
    stubs = {}
    for pid in session_members(session):
        with suppress(OSError):
            words = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")
            if Path(words[0].decode()).name == STUB_NAME and len(words) > 8:
                stubs[pid] = words[8].decode()
    return stubs


def kill_process(pid: int) -> None:
    """Send SIGKILL, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
