"""What becomes of the recordings of a run: failures told, results and errors counted."""

from __future__ import annotations

import sys
import threading
from collections.abc import Sequence
from typing import Any

from tqdm import tqdm

from asr_contract import ErrorCount

from .common import exit_code_of
from .input_files import InputFile
from .references import Score, reference_for


class Batch:
    """The state of a run; safe to use from several threads.

    Args:
        references: id → text, to score against; None for no score.
        progress: a bar, in files; None for none.

    Attributes:
        succeeded, failures: recordings with and without a result.
    """

    def __init__(
        self, sources: Sequence[InputFile], references: dict[str, str] | None, progress: Any
    ) -> None:
        self.sources = sources
        self.succeeded = 0
        self.failures = 0
        self._kinds: dict[type[Exception], Exception] = {}  # of failures, an example of each
        self._references = references
        self._progress = progress
        self._score = Score(ErrorCount())
        self._lock = threading.Lock()

    @property
    def left(self) -> int:
        """How many recordings have neither a result nor failed."""
        return len(self.sources) - self.succeeded - self.failures

    def failed(self, index: int, error: Exception) -> None:
        """Tell what a recording failed with."""
        source = self.sources[index]
        # Errors of the audio begin with the path, those of the server do not.
        message = str(error).removeprefix(f"{source.path}: ").removeprefix(f"{source.shown}: ")
        tqdm.write(f"{source.shown}: {message}", file=sys.stderr)
        self._kinds[type(error)] = error
        self.count(index, None)

    def count(self, index: int, text: str | None) -> None:
        """Count a recording with its text, None if it has failed."""
        with self._lock:
            self.failures += text is None
            self.succeeded += text is not None
            if self._references is not None:
                reference = reference_for(self._references, self.sources[index])
                self._score.add(reference, text)
            if self._progress is not None:
                self._progress.update()

    def finish(self) -> int:
        """Tell the score and the number of failures; return the exit code."""
        if self._references is not None:
            print(self._score.summary(), file=sys.stderr)
        if self.failures and len(self.sources) > 1:
            print(f"{self.failures} of {len(self.sources)} files failed", file=sys.stderr)
        return exit_code_of(self._kinds.values())
