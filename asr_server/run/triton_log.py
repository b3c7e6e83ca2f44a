"""What a `tritonserver` and its stubs write, and what can be told from it."""

from __future__ import annotations

import os
import re
import sys
from collections import Counter
from pathlib import Path
from typing import IO

from asr_server.run.installation import TritonServerError

STANDARD_ERROR = Path("-")

# How Triton logs a model that loads or does not; a Python model's traceback follows the message.
_LOADED = re.compile(r"\"successfully loaded '([^']+)'\"")
_LOAD_FAILURE = re.compile(r"\"failed to load '([^']+)' version \d+: (.*)\"")
# `ReceiveMessageFromStub` of Triton's Python backend
_LATE_STUB = re.compile(r"Stub process '[^']*' is not healthy|Failed to obtain the health mutex")
_TRACEBACK = r"\n\nAt:"


class TritonLog:
    """The log of one server, which several starts append to.

    Attributes:
        path: the file; `-` is standard error, of which nothing can be told.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self._start = 0

    def open(self) -> IO[bytes]:
        """Return the file for a start to write to.

        Raises:
            TritonServerError: it cannot be written.
        """
        if self.path == STANDARD_ERROR:
            return os.fdopen(os.dup(sys.stderr.fileno()), "ab")
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            file = self.path.open("ab")
        except OSError as error:
            raise TritonServerError(
                f"{self.path}: the log cannot be written ({error.strerror}); --log names another "
                "file, or - for standard error"
            ) from error
        self._start = file.tell()
        return file

    def text(self) -> str:
        """Return what this start has written so far."""
        if self.path == STANDARD_ERROR:
            return ""
        with self.path.open("rb") as file:
            file.seek(self._start)
            return file.read().decode(errors="replace")

    def tail(self, lines: int = 40) -> str:
        """Return the last lines of `text`."""
        return "\n".join(self.text().splitlines()[-lines:])

    def loaded_models(self) -> set[str]:
        """Return the models that were loaded so far."""
        return set(self.loads())

    def loads(self) -> Counter[str]:
        """Return how often each model was loaded so far."""
        return Counter(_LOADED.findall(self.text()))

    def tells_of_late_stubs(self) -> bool:
        """Return whether the process of a model did not say in time that it lives."""
        return bool(_LATE_STUB.search(self.text()))

    def reason_for_ending(self) -> str:
        """Return the models that did not load and why, else the end of the log."""
        loaded = self.loaded_models()
        failures = {  # the last of each: Triton tries more than once
            model: f"  {model}: {reason.partition(_TRACEBACK)[0]}"
            for model, reason in _LOAD_FAILURE.findall(self.text())
            if model not in loaded
        }
        if failures:
            return "\n".join([f"models that did not load (log: {self.path}):", *failures.values()])
        if self.path == STANDARD_ERROR:
            return "its log is above"
        return f"end of {self.path}:\n{self.tail()}"
