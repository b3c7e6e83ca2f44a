"""The gateway as a part of what serves."""

from __future__ import annotations

import signal
from collections.abc import Callable, Sequence

from asr_server.run.parts import ProcessPart

_STOP_S = 16.0  # behind that: its --shutdown-grace, and 5 s for closing


def gateway_part(
    triton_url: str, arguments: Sequence[str], drain_s: float, say: Callable[[str], None]
) -> ProcessPart:
    """Return a gateway, which stays up while Triton is started anew.

    Args:
        triton_url: as `triton-asr-gateway --triton` takes it.
        arguments: further words for its command line.
        drain_s: how long its sessions may go on when it is told to stop.
        say: is told what it says when it starts.
    """
    return ProcessPart(
        "the gateway",
        ["asr_gateway", "--triton", triton_url, f"--drain-s={drain_s:g}", *arguments],
        stop_timeout_s=_STOP_S,
        say=say,
        drain_signal=signal.SIGTERM,
        ends_drained=True,
    )
