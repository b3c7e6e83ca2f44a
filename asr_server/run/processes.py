"""The processes of a running server: how it is bound to its starter, and its models' stubs."""

from __future__ import annotations

import os
import queue
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from asr_server.run.installation import STUB_NAME

# Runs before the program, in its process: asks the kernel to end it with the starter, takes the
# cores of the thread that asked, then becomes it. A pre-exec hook in the parent would do the same,
# but runs Python between fork and exec, which can deadlock where gRPC has started its threads.
# 1 is PR_SET_PDEATHSIG, 15 SIGTERM.
_EXEC_BOUND_TO_STARTER = (
    "import ctypes, os, sys\n"
    "ctypes.CDLL(None).prctl(1, 15, 0, 0, 0)\n"
    "if os.getppid() != int(sys.argv[1]): sys.exit('the starter has ended')\n"
    "os.sched_setaffinity(0, map(int, sys.argv[2].split(',')))\n"
    "os.execv(sys.argv[3], sys.argv[3:])\n"
)
_END_S = 2.0  # what a leader has told to end may take so long


_starts: queue.SimpleQueue[tuple[Future[subprocess.Popen[Any]], list[str], dict[str, Any]]]
_starts = queue.SimpleQueue()
_lock = threading.Lock()
_thread: threading.Thread | None = None


def start_bound(command: Sequence[str], **options: Any) -> subprocess.Popen[Any]:
    """Start a program that gets SIGTERM when this process ends, in whatever way.

    The kernel tells of the end of threads, not of processes; so it is started in a thread that
    lasts as long as the process, whichever thread asks for it. It may use the cores that this one
    may.

    Args:
        command: the program's path and its arguments.
        options: of `subprocess.Popen`.

    Raises:
        OSError: there is no process to be had.
    """
    global _thread
    # -I -S: nothing of this environment is needed to call prctl
    isolated = [sys.executable, "-I", "-S", "-c", _EXEC_BOUND_TO_STARTER]
    started: Future[subprocess.Popen[Any]] = Future()
    with _lock:
        if _thread is None or not _thread.is_alive():  # none is alive after a fork
            _thread = threading.Thread(target=_start_all, name="process-starter", daemon=True)
            _thread.start()
    cores = ",".join(map(str, os.sched_getaffinity(0)))
    _starts.put((started, [*isolated, str(os.getpid()), cores, *command], options))
    return started.result()


def _start_all() -> None:
    """Be the body of the thread: start one process after the other."""
    while True:
        started, command, options = _starts.get()
        try:
            started.set_result(subprocess.Popen(command, **options))
        except BaseException as error:
            started.set_exception(error)


def session_members(session: int) -> list[int]:
    """Return the ids of the live processes of a session, zombies left out."""
    return [pid for pid, state, _, owner in _all() if owner == session and state != "Z"]


def dead_children(parent: int) -> set[int]:
    """Return the ids of a process's zombies: children that ended and that it has not waited for."""
    return {pid for pid, state, starter, _ in _all() if starter == parent and state == "Z"}


def _all() -> Iterator[tuple[int, str, int, int]]:
    """Return each process: its id, state, parent and session."""
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit():
            continue
        try:
            # after the name in brackets: state, parent, group, session (man proc_pid_stat)
            words = (entry / "stat").read_text().rpartition(")")[2].split()
            yield int(entry.name), words[0], int(words[1]), int(words[3])
        except (OSError, ValueError, IndexError):
            continue  # it ended meanwhile


def stub_processes(session: int) -> dict[int, str]:
    """Return the live stubs: process id, and the name of its model instance, such as `vad_0_0`.

    Those that only complete a model's configuration have the model's name, and are left out.
    """
    stubs = {}
    for pid in session_members(session):
        with suppress(OSError):
            words = (Path("/proc") / str(pid) / "cmdline").read_bytes().split(b"\0")
            if Path(os.fsdecode(words[0])).name == STUB_NAME and len(words) > 8:
                model = Path(os.fsdecode(words[1])).parent.parent.name
                instance = words[8].decode()
                if instance != model:
                    stubs[pid] = instance
    return stubs


def end_session(leader: subprocess.Popen[Any], grace_s: float) -> None:
    """End a process that leads a session, and all of that session, and wait until none is left.

    Args:
        leader: may have ended; it gets SIGTERM, and tells the others to end.
        grace_s: seconds between that and SIGKILL; 0 for SIGKILL at once.
    """
    deadline_s = 0.0
    if leader.poll() is None and grace_s:
        leader.terminate()
        with suppress(subprocess.TimeoutExpired):
            leader.wait(grace_s)
            deadline_s = time.monotonic() + _END_S
    if leader.poll() is None:
        leader.kill()
        leader.wait()
    while left := session_members(leader.pid):
        if time.monotonic() > deadline_s:
            for member in left:
                kill_process(member)
        time.sleep(0.02)


def kill_process(pid: int) -> None:
    """Send SIGKILL, if it is still there."""
    with suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)
