"""Keeps a server running until it is told to stop."""

from __future__ import annotations

import threading
from collections.abc import Callable

from asr_server.run.installation import TritonServerError
from asr_server.run.interface import Server

READY_TIMEOUT_S = 300.0  # a full-size model is read from disk and, on a GPU, copied there
POLL_S = 0.5


def serve(server: Server, stop: threading.Event, report: Callable[[str], None]) -> int:
    """Start a server, say where it is, and keep it until told to stop.

    If the process of a Python model dies, the server is started anew on the same ports.

    Returns:
        Exit status: 0 if it was stopped, 1 if it ended by itself or never became ready.
    """
    try:
        server.start()
        server.wait_ready(READY_TIMEOUT_S)
        report(f"HTTP     http://{server.http_url}")
        report(f"gRPC     grpc://{server.grpc_url}")
        report(f"metrics  {server.metrics_url}")
        report("ready; Ctrl-C stops")
        while not stop.wait(POLL_S):
            if not server.is_running():
                report(f"the server ended by itself; end of its log:\n{server.log_tail()}")
                return 1
            if lost := server.lost_models():
                report(f"the process of {', '.join(lost)} died; starting the server anew")
                server.stop()
                server.start()
                server.wait_ready(READY_TIMEOUT_S)
                report("ready again")
        return 0
    except TritonServerError as error:
        report(str(error))
        return 1
    finally:
        server.stop()
