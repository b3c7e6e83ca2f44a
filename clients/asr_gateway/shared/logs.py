"""Structured logs: one JSON object a line. No audio, and text only where settings say so."""

from __future__ import annotations

import json
import logging
from datetime import datetime, timezone
from typing import Any

from asr_contract.patient_lines import PatientLines

_STDERR = 2  # its file descriptor

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
    """Writes lines so that no session waits for who reads them."""

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._lines = PatientLines(descriptor, _left_out)

    def emit(self, record: logging.LogRecord) -> None:
        """Have a record written."""
        self._lines.put(self.format(record))

    def flush(self) -> None:
        """Wait a moment for what is still to be written."""
        self._lines.flush()


def _left_out(count: int) -> str:
    return json.dumps({"event": "log lines left out", "count": count})


def set_up_logging() -> None:
    """Send the gateway's log, and warnings of the libraries, to stderr."""
    handler = PatientHandler(_STDERR)
    handler.setFormatter(JsonFormatter())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    _LOGGER.setLevel(logging.INFO)
