"""What a model's process has of Triton's that is not its own."""

from __future__ import annotations

import os
import stat
from contextlib import suppress


def close_inherited_connections() -> None:
    """Close the sockets that the process was started with; called before anything opens one.

    Triton starts a model's process without closing what is open: one that is started anew while
    clients are connected would hold their connections for as long as it lives. Standard input,
    output and error, which may be sockets, stay.
    """
    for name in os.listdir("/proc/self/fd"):
        with suppress(OSError):  # what lists them is gone by then
            number = int(name)
            if number > 2 and stat.S_ISSOCK(os.fstat(number).st_mode):
                os.close(number)
