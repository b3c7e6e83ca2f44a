"""The gateway as a part of what serves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from asr_server.run.parts import ProcessPart

_STOP_S = 15.0  # it lets sessions finish; its own default is 10 s


def gateway_part(
    triton_url: str, arguments: Sequence[str], say: Callable[[str], None]
) -> ProcessPart:
    """Return a gateway, which stays up while Triton is started anew.

    Args:
        triton_url: as `triton-asr-gateway --triton` takes it.
        arguments: further words for its command line.
        say: is told what it says when it starts.
    """
    return ProcessPart(
        "the gateway",
        ["asr_gateway", "--triton", triton_url, *arguments],
        stop_timeout_s=_STOP_S,
        say=say,
    )
