"""The sessions of a sequence model: idle ones dropped, their number among the server's metrics."""

from __future__ import annotations

import threading
from typing import Any

import triton_python_backend_utils as pb_utils

from asr_core.sequences import Reaper, SessionTable
from asr_triton.parameters import Parameters


class OpenSessions:
    """A session table that expires with Triton's idle time and is shown as `asr_open_sessions`.

    Args:
        parameters: the model's, with its `max_sessions`: streams open at a time.
    """

    def __init__(self, parameters: Parameters) -> None:
        idle_s = parameters.sequence_idle_s
        self.table: SessionTable[Any] = SessionTable(parameters.integer("max_sessions"), idle_s)
        self._metrics = pb_utils.MetricFamily(  # has to outlive its gauge
            name="asr_open_sessions",
            description="Streams whose state is kept",
            kind=pb_utils.MetricFamily.GAUGE,
        )
        self._gauge = self._metrics.Metric(labels={"model": parameters.model_name})
        self._shown = 0
        self._showing = threading.Lock()  # workers and the reaper show
        self._reaper = Reaper(self._expire, idle_s / 4)

    def show(self) -> None:
        """Bring the metric up to date; a call to the server, so only if it changed."""
        with self._showing:
            if (count := len(self.table)) != self._shown:
                self._shown = count
                self._gauge.set(count)

    def close(self) -> None:
        """Stop expiring, and take the metric back while the server can still be told.

        Left to the interpreter's end, that is a call through a stub that is gone: a crash.
        """
        self._reaper.stop()
        with self._showing:
            del self._gauge
            del self._metrics

    def _expire(self) -> None:
        self.table.expire()
        self.show()
