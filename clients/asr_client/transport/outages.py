"""Which failures are the server's, so that they pass when it is back, or elsewhere."""

from __future__ import annotations

from ..errors import (
    ConnectionFailed,
    RequestRejected,
    ServerError,
    ServerNotReady,
    SessionLimitReached,
    SessionLost,
)
from .failures import DEAD_PROCESS

# What Triton says of a model that is loaded anew, of a sequence that began before that, and when
# it stops: of what it is asked, and of what its models ask it.
_PASSING = (
    "has no available versions",
    "must specify the start flag",
    "no state for sequence",
    "server is stopping",
    "server not ready",
)


def is_outage(error: BaseException) -> bool:
    """Return whether a failure passes when the server, or a process of it, is back."""
    if isinstance(error, SessionLost) and error.__cause__ is not None:
        return is_outage(error.__cause__)
    if isinstance(error, SessionLimitReached):
        return False
    if isinstance(error, (ConnectionFailed, ServerNotReady)):
        return True
    text = (getattr(error, "server_message", None) or "").lower()
    if isinstance(error, (RequestRejected, ServerError)) and any(
        words in text for words in _PASSING
    ):
        return True
    return isinstance(error, ServerError) and any(words in text for words in DEAD_PROCESS)
