"""Becomes a program that can start no other process and open no socket. Run as a script.

    python -I -S alone.py PROGRAM [ARGUMENT …]

Linux's seccomp keeps the promise, for the program and whatever it becomes: a call that would make a
process, or a socket, fails with EPERM; threads are made as ever. Where the system has no such
filters, the program runs without. What it runs in was started for it alone, so this imports nothing
that is not needed. (man 2 seccomp; linux/seccomp.h, linux/audit.h)
"""

from __future__ import annotations

import ctypes
import os
import struct
import sys

_CLONE3 = 435  # the same everywhere; its flags are in memory, where no filter looks
_CLONE_THREAD = 0x10000

# Offsets in `struct seccomp_data`
_NUMBER, _ARCHITECTURE, _FIRST_ARGUMENT = 0, 4, 16

# Of classic BPF: load a word; jump if equal, if at least, if a bit is set; return
_LOAD, _EQUAL, _AT_LEAST, _BIT_SET, _RETURN = 0x20, 0x15, 0x35, 0x45, 0x06

_ALLOW = 0x7FFF0000
_EPERM, _ENOSYS = 0x00050001, 0x00050026

_PR_SET_SECCOMP, _PR_SET_NO_NEW_PRIVS = 22, 38
_MODE_FILTER = 2

_SIGPIPE, _SIGXFSZ = 13, 25


# By kind of machine: the architecture, as audited, of its programs of 32 bits, which call by other
# numbers; the call that makes a thread or a process; those that make a process or a socket.
_MACHINES = {
    "x86_64": (0x40000003, 56, (57, 58, 41)),  # clone; fork, vfork, socket
    "aarch64": (0x40000028, 220, (198,)),
}
_X32 = 0x40000000  # from here on, numbers of yet another form of x86


def _filter(older: int, clone: int, refused: tuple[int, ...]) -> bytes:
    """Return the program that judges each system call, of a machine's numbers."""
    # The last three return; what jumps there is as far from them as instructions follow.
    tests: list[tuple[int, int, str, str]] = [
        (_LOAD, _ARCHITECTURE, "", ""),
        (_EQUAL, older, "refuse", ""),
        (_LOAD, _NUMBER, "", ""),
        (_AT_LEAST, _X32, "refuse", ""),
        (_EQUAL, _CLONE3, "unknown", ""),  # a C library asks by `clone` then
        *((_EQUAL, number, "refuse", "") for number in refused),
        (_EQUAL, clone, "", "allow"),
        (_LOAD, _FIRST_ARGUMENT, "", ""),
        (_BIT_SET, _CLONE_THREAD, "allow", "refuse"),
    ]
    ends = {"allow": _ALLOW, "refuse": _EPERM, "unknown": _ENOSYS}
    places = {name: len(tests) + index for index, name in enumerate(ends)}
    code = b""
    for here, (operation, value, true, false) in enumerate(tests, start=1):
        jumps = [places[name] - here if name else 0 for name in (true, false)]
        code += struct.pack("=HBBI", operation, *jumps, value)
    return code + b"".join(struct.pack("=HBBI", _RETURN, 0, 0, end) for end in ends.values())


def _stay_alone(libc: ctypes.CDLL) -> None:
    """Install the filter, where the system has them."""
    machine = _MACHINES.get(os.uname().machine)
    if machine is None or sys.maxsize < 1 << 32:
        return
    code = _filter(*machine)
    buffer = ctypes.create_string_buffer(code, len(code))
    program = struct.pack("@HP", len(code) // 8, ctypes.addressof(buffer))
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:  # without, only root may
        libc.prctl(_PR_SET_SECCOMP, _MODE_FILTER, program, 0, 0)


def _become(command: list[str]) -> None:
    """Run a program in the place of this one."""
    try:
        os.execv(command[0], command)
    except OSError as error:
        sys.exit(f"exec {command[0]}: {error.strerror}")


if __name__ == "__main__":
    _libc = ctypes.CDLL(None)
    for _number in (_SIGPIPE, _SIGXFSZ):  # which Python ignores, and what it becomes would, too
        _libc.signal(_number, None)
    _stay_alone(_libc)
    _become(sys.argv[1:])
