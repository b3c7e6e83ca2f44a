"""What becomes of a batch whose server is gone: it waits for it, and goes on when it is back."""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Callable
from itertools import count
from typing import TypeVar

from tqdm import tqdm

from ..blocking.client import Client
from ..errors import (
    AsrError,
    ModelNotFound,
    OptionError,
    RequestTimeout,
    ServerNotReady,
)
from ..transport import is_outage
from .common import UsageError
from .output import OutputError

T = TypeVar("T")

# A recording at which the server was lost so often is not tried again: it may be the reason.
ATTEMPTS = 3

_PAUSE_S = 0.5  # the shortest, so that a server that refuses at once is not asked without end


class ServerStayedAway(AsrError):
    """The server did not come back in time."""


# What is wrong for every recording, and told once.
FOR_ALL = (
    *(ModelNotFound, OptionError, UsageError, OutputError),
    *(ServerStayedAway, BrokenPipeError),
)


class Recovery:
    """Waits for a server, for all threads of a batch together.

    Args:
        client: of the server.
        model: that must be ready.
        wait_s: how long to wait; 0 not at all.
        command: the sub-command, for what is told.
    """

    def __init__(self, client: Client, model: str, wait_s: float, command: str) -> None:
        self._client = client
        self._model = model
        self._wait_s = wait_s
        self._command = command
        self._lock = threading.Lock()
        self._gone: ServerStayedAway | None = None

    def attempts(self, work: Callable[[], T]) -> T:
        """Do the work for a recording, again if the server was lost meanwhile.

        Raises:
            ServerStayedAway: the server was lost and did not come back.
            Exception: what `work` raises, at the last attempt at the latest.
        """
        for attempt in count(1):
            try:
                return work()
            except AsrError as error:
                if attempt == ATTEMPTS or not self.may_pass(error):
                    raise
                self.wait(error)
        raise AssertionError("an attempt returns or raises")

    def may_pass(self, error: AsrError) -> bool:
        """Return whether an error may pass by waiting.

        A time-out may if the server does not answer at all: what is too slow once is so again.
        """
        if isinstance(error, RequestTimeout):
            return not self._client.is_ready(self._model)
        return is_outage(error)

    def wait(self, error: AsrError) -> None:
        """Return when the server is ready again.

        Args:
            error: with which a request failed.

        Raises:
            ServerStayedAway: it is not ready in time, now or when another thread waited.
            AsrError: the client was closed.
        """
        with self._lock:
            if self._gone is not None:
                raise self._gone
            start_s = time.monotonic()
            time.sleep(min(_PAUSE_S, self._wait_s))
            if self._client.is_ready(self._model):
                return
            if self._wait_s:
                self._tell(f"the server is gone ({error}); waiting up to {self._wait_s:g} s for it")
            try:
                self._client.wait_ready(max(self._wait_s, _PAUSE_S), model=self._model)
            except ServerNotReady:
                self._gone = ServerStayedAway(
                    f"the server at {self._client.url} is gone and was not back within "
                    f"{self._wait_s:g} s ({error})"
                )
                raise self._gone from error
            self._tell(f"the server is back after {time.monotonic() - start_s:.0f} s")

    def _tell(self, message: str) -> None:
        tqdm.write(f"triton-asr {self._command}: {message}", file=sys.stderr)
