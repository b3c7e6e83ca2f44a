"""How a console command begins and ends, so that Ctrl-C prints no traceback at any moment."""

from __future__ import annotations

import errno
import importlib
import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Any, NoReturn

EXIT_OUTPUT = 4
EXIT_INTERRUPTED = 130  # as shells: 128 + SIGINT
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO)
_SIGNALS = (signal.SIGINT, signal.SIGTERM)


def run_command(module: str) -> NoReturn:
    """Run the `main` of a module, and end the process with the exit status that it returns.

    After Ctrl-C that is 130, and 1 where nobody reads what is printed any more (`| head`), with
    nothing on stderr where `main` has printed nothing. It is 4, with a line, where standard output
    cannot be written.

    Args:
        module: its name; it is imported here.
    """
    try:
        with quick_end():
            main = importlib.import_module(module).main
        try:
            status = main()
        finally:
            sys.stdout.flush()
    except KeyboardInterrupt:
        status = EXIT_INTERRUPTED
    except OSError as error:
        if not _is_of_stdout(error):
            raise
        drop_stdout()
        status = 1
        if not isinstance(error, BrokenPipeError):
            print(f"standard output: {error.strerror}", file=sys.stderr)
            status = EXIT_OUTPUT
    finally:
        _set_quick_end()  # while the interpreter ends, too
    sys.exit(status)


def drop_stdout() -> None:
    """Let what is still to be printed go nowhere: else the flush at exit fails again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _is_of_stdout(error: OSError) -> bool:
    """Return whether an error that `main` let through is one of writing to standard output."""
    is_full = error.errno in _FULL and error.filename is None
    return is_full or isinstance(error, BrokenPipeError)


@contextmanager
def quick_end() -> Iterator[None]:
    """Let SIGINT and SIGTERM end the process at once, with 130 or 143 and without a word.

    For imports, which take a second: an exception in the middle of one prints a traceback, or is
    swallowed by what is imported. A signal that is ignored (`nohup`) stays ignored. Outside the
    main thread this does nothing.
    """
    before = _set_quick_end()
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _set_quick_end() -> dict[signal.Signals, Any]:
    """Set the handlers; return those before."""
    if threading.current_thread() is not threading.main_thread():
        return {}
    not_ours = (signal.SIG_IGN, None)  # None: of a program that Python is a part of
    heard = [number for number in _SIGNALS if signal.getsignal(number) not in not_ours]
    return {number: signal.signal(number, _end) for number in heard}


def _end(number: int, frame: FrameType | None) -> None:
    os._exit(128 + number)
