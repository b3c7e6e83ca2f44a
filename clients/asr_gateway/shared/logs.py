"""Structured logs: one JSON object a line. No audio, and text only where settings say so."""

from __future__ import annotations

import json
import logging
import queue
import sys
import threading
import time
from datetime import datetime, timezone
from typing import Any, TextIO

MAX_LINES = 10_000  # that wait; about 2 MB
_LAST_WORDS_S = 1.0  # for the rest at the end

_LOGGER = logging.getLogger("asr_gateway")


def log_event(event: str, *, level: int = logging.INFO, **fields: Any) -> None:
    """Log that something happened, with what is to be known of it."""
    _LOGGER.log(level, event, extra={"fields": fields})


class JsonFormatter(logging.Formatter):
    """Writes a record as a JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        entry: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, timezone.utc).isoformat(),
            "level": record.levelname.lower(),
            "event": record.getMessage(),
        }
        if record.name != _LOGGER.name:
            entry["logger"] = record.name
        entry |= getattr(record, "fields", {})
        if record.exc_info:
            entry["traceback"] = self.formatException(record.exc_info)
        return json.dumps(entry, ensure_ascii=False, default=str)


class PatientHandler(logging.Handler):
    """Writes lines by a thread of its own, so that nobody waits for who reads them.

    A terminal that is held, or a pipe that is not read, would else hold up all that is logged
    from, and with it every session. Lines beyond `MAX_LINES` that wait are left out, and counted
    in a line of their own.
    """

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream
        self._lines: queue.Queue[str] = queue.Queue(MAX_LINES)
        self._lost = 0
        self._thread = threading.Thread(target=self._write, name="asr-gateway-log", daemon=True)
        self._thread.start()

    def emit(self, record: logging.LogRecord) -> None:
        """Have a record written."""
        try:
            self._lines.put_nowait(self.format(record))
        except queue.Full:
            self._lost += 1

    def flush(self) -> None:
        """Wait a moment for what is still to be written."""
        deadline_s = time.monotonic() + _LAST_WORDS_S
        while self._lines.unfinished_tasks and time.monotonic() < deadline_s:
            time.sleep(0.01)

    def _write(self) -> None:
        while True:
            line = self._lines.get()
            try:
                if self._lost:
                    lost, self._lost = self._lost, 0
                    self._stream.write(json.dumps({"event": "log lines left out", "count": lost}))
                    self._stream.write("\n")
                self._stream.write(line + "\n")
                self._stream.flush()
            except (OSError, ValueError):  # nobody can read any more
                pass
            finally:
                self._lines.task_done()


def set_up_logging(level: int = logging.INFO) -> None:
    """Send the gateway's log, and warnings of the libraries, to stderr."""
    handler = PatientHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _LOGGER.setLevel(level)
