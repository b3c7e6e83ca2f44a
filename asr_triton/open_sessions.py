"""The sessions of a sequence model: idle ones dropped, their number among the server's metrics."""

from __future__ import annotations

import os
import tempfile
import threading
from pathlib import Path
from typing import Any

import triton_python_backend_utils as pb_utils

from asr_core.sequences import Reaper, SessionPlaces, SessionTable
from asr_triton.parameters import Parameters

LOOK_S = 1.0  # how long a new session may wait for an idle one of another process to make way


class OpenSessions:
    """A session table that expires with Triton's idle time and is shown as `asr_open_sessions`.

    Limit and metric are of all the model's instances together, which are processes.

    Args:
        parameters: the model's, with its `max_sessions`: streams open at a time.
    """

    def __init__(self, parameters: Parameters) -> None:
        idle_s = parameters.sequence_idle_s
        limit = parameters.integer("max_sessions")
        file = f"asr-sessions-{os.getppid()}-{parameters.model_name}"  # of this server
        several = limit > 0 and parameters.instances > 1
        self._places = SessionPlaces(limit, Path(tempfile.gettempdir(), file) if several else None)
        self.table: SessionTable[Any] = SessionTable(limit, idle_s, places=self._places)
        self._metrics = pb_utils.MetricFamily(  # has to outlive its gauge
            name="asr_open_sessions",
            description="Streams whose state is kept",
            kind=pb_utils.MetricFamily.GAUGE,
        )
        self._gauge = self._metrics.Metric(labels={"model": parameters.model_name})
        self._shown = 0
        self._showing = threading.Lock()  # workers and the reaper show
        self._reaper = Reaper(self._expire, min(idle_s / 4, LOOK_S))

    def show(self) -> None:
        """Bring the metric up to date; a call to the server, so only if it changed."""
        with self._showing:
            if (count := len(self.table)) != self._shown:
                self._gauge.increment(count - self._shown)
                self._shown = count

    def close(self) -> None:
        """Stop expiring, and take the metric back while the server can still be told.

        Left to the interpreter's end, that is a call through a stub that is gone: a crash.
        """
        self._reaper.stop()
        self._places.close()
        with self._showing:
            del self._gauge
            del self._metrics

    def _expire(self) -> None:
        self.table.expire()
        self.show()
