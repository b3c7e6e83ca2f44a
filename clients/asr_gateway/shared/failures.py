"""What a failure means to a client: its own request, and nothing of what is inside.

The log has the rest, without recognised text.
"""

from __future__ import annotations

import re

from asr_client import (
    AsrError,
    AudioError,
    DecoderFailed,
    ModelNotFound,
    OptionError,
    Overloaded,
    RequestRejected,
    RequestTimeout,
    ServerNotReady,
    SessionLimitReached,
    SessionLost,
    StorageFull,
)
from asr_client.storage import is_full

from .outage import TritonAway, is_outage

_MAX_LOGGED = 500  # characters

GATEWAY_FAILED = "the gateway failed; its log says how"
_NOT_AVAILABLE = "recognition is not available at the moment; try again later"
_STORAGE_FULL = "the gateway has no room on its disk for this audio; try again later"

_KINDS: dict[str, tuple[type[Exception], ...]] = {
    "audio": (AudioError,),
    "decoder": (DecoderFailed,),
    "overloaded": (Overloaded, SessionLimitReached),
    "storage": (StorageFull,),
    "timeout": (RequestTimeout,),
    "triton": (ModelNotFound, ServerNotReady, TritonAway),
}

# What the SDK says to its own callers: the source's name in front, a class of its own behind.
_SOURCE = re.compile(r"^(?:the file object|\d+ bytes|/[^\n:]*): ")
_ADVICE = re.compile(r"\.? Raw samples [^.]*$")
_ADDRESS = re.compile(r"\b(?:grpc|grpcs|http|https)://[^\s,;:]+(?::\d+)?:? ?")


def told(error: Exception) -> str:
    """Return what a client is told of a failure."""
    if isinstance(error, AudioError):
        return _ADVICE.sub("", _SOURCE.sub("", str(error)))
    if isinstance(error, SessionLost) and isinstance(error.__cause__, AsrError):
        return told(error.__cause__)  # what it heard is of one stretch, and no client's time
    if isinstance(error, DecoderFailed):
        return "ffmpeg was killed or crashed, which need not be the file's fault; try again"
    if isinstance(error, Overloaded):
        return "as many files are decoded as may be at once; try again later"
    if isinstance(error, StorageFull) or is_full(error):
        return _STORAGE_FULL
    if isinstance(error, SessionLimitReached):
        return "as many live sessions are open as the models take; try again later"
    if isinstance(error, TritonAway):
        return str(error)
    if isinstance(error, (ModelNotFound, ServerNotReady)) or is_outage(error):
        return _NOT_AVAILABLE
    if isinstance(error, RequestTimeout):
        return "recognition took too long and was given up"
    if isinstance(error, (OptionError, RequestRejected)):
        return _ADDRESS.sub("", getattr(error, "server_message", None) or str(error))
    if isinstance(error, AsrError):
        return "recognition failed; the gateway's log says how"
    return GATEWAY_FAILED


def failure_kind(error: Exception) -> str:
    """Return a failure in one word, for counters."""
    if isinstance(error, SessionLost) and isinstance(error.__cause__, AsrError):
        return failure_kind(error.__cause__)
    for kind, classes in _KINDS.items():
        if isinstance(error, classes):
            return kind
    if is_full(error):
        return "storage"
    if is_outage(error):
        return "triton"
    if isinstance(error, (OptionError, RequestRejected)):
        return "request"
    return "recognition" if isinstance(error, AsrError) else "gateway"


def logged(error: BaseException) -> str:
    """Return what the log says of a failure: neither recognised text nor a path."""
    if isinstance(error, SessionLost) and error.__cause__ is not None:
        return logged(error.__cause__)
    if isinstance(error, AudioError):
        return f"AudioError: {told(error)}"[:_MAX_LOGGED]
    return repr(error)[:_MAX_LOGGED]
