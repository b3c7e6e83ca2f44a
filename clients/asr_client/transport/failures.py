"""Turns what tritonclient, grpc and aiohttp raise into the SDK's exceptions: the only place.

Every transport wraps each of its calls in `translated(…)`; nothing else in the package imports
an exception of those libraries.
"""

from __future__ import annotations

import asyncio
import concurrent.futures
import struct
from collections.abc import Iterator
from contextlib import contextmanager

import aiohttp
import grpc
from tritonclient.utils import InferenceServerException

from ..errors import (
    AsrError,
    ClientClosed,
    ConnectionFailed,
    ModelNotFound,
    ProtocolError,
    RequestRejected,
    RequestTimeout,
    ServerError,
    ServerNotReady,
)
from .connecting import connection_failure

# One vocabulary for both protocols. gRPC gives names, HTTP gives numbers (as strings).
# What is not listed is a ServerError.
_KINDS: dict[str, type[AsrError]] = {
    "INVALID_ARGUMENT": RequestRejected,
    "OUT_OF_RANGE": RequestRejected,
    "ALREADY_EXISTS": RequestRejected,
    "RESOURCE_EXHAUSTED": RequestRejected,  # the message is larger than the server takes
    "UNAUTHENTICATED": RequestRejected,  # the server wants an API key
    "PERMISSION_DENIED": RequestRejected,
    "NOT_FOUND": ModelNotFound,
    "400": RequestRejected,
    "401": RequestRejected,
    "403": RequestRejected,
    "404": ModelNotFound,
    "409": RequestRejected,
    "413": RequestRejected,
    "429": ServerNotReady,
    "503": ServerNotReady,
}

# gRPC uses UNAVAILABLE both for "no connection" and for Triton's own UNAVAILABLE (model still
# loading, queue full, server stopping). Only the text tells them apart; these are the library's.
_NO_CONNECTION_TEXTS = (
    "connect",
    "socket closed",
    "reset by peer",
    "broken pipe",
    "goaway",
    "endpoint",
    "handshake",
    "resol",  # of names
    "lookup",
    "ping timeout",
    "keepalive",
    "trying to",
    "recvmsg",
    "transport",
    "subchannel",
    "eof",
    "end of tcp stream",
)

# What grpc.aio says, with the status INTERNAL, when it writes to a connection that has just broken.
_BROKEN_STREAM = "internal error from core"

# What Triton says of a request that waited in a queue for longer than it said it would.
_EXPIRED = "request timeout expired"

# What it says of a model whose process has died.
DEAD_PROCESS = ("is not healthy", "stub process")
_CRASH_HINT = (
    "a process of this model died on the server; see the server's log, then reload the model or "
    "restart the server (its readiness may still be reported as good)"
)
_MAX_MESSAGE = 2000  # characters; an HTML page of some proxy would fill the screen


@contextmanager
def translated(url: str, what: str, timeout_s: float) -> Iterator[None]:
    """Raise the SDK's exception for whatever the body raises.

    Args:
        url: the server's URL, for the message.
        what: what was asked, for the message: "model 'sensevoice'" …; "" for the server itself.
        timeout_s: the timeout that applied, for the message.
    """
    where = f"{url}: {what}" if what else url
    try:
        yield
    except AsrError:
        raise
    except InferenceServerException as error:
        raise _from_triton(error, where, timeout_s) from error
    except grpc.aio.AioRpcError as error:  # tritonclient lets those of a stream through
        failure = InferenceServerException(error.details() or "", status=str(error.code()))
        raise _from_triton(failure, where, timeout_s) from error
    except (TimeoutError, asyncio.TimeoutError, concurrent.futures.TimeoutError) as error:
        raise RequestTimeout(_timeout_message(where, timeout_s)) from error
    except aiohttp.ClientConnectionError as error:
        raise ConnectionFailed(f"{where}: {connection_failure(error)}") from error
    except aiohttp.ClientPayloadError as error:
        raise ConnectionFailed(f"{where}: the answer broke off ({_text(error)})") from error
    except aiohttp.ClientError as error:
        raise ConnectionFailed(
            f"{where}: no valid HTTP came back ({_text(error)}); is this the server's HTTP port?"
        ) from error
    except OSError as error:
        raise ConnectionFailed(f"{where}: {_text(error)}") from error
    except (ValueError, KeyError, IndexError, TypeError, AttributeError, struct.error) as error:
        if "closed channel" in str(error).lower() or "channel closed" in str(error).lower():
            raise ClientClosed(f"{where}: the client is closed") from error
        # tritonclient checks little of what it parses; a foreign answer ends in one of these.
        raise ProtocolError(
            f"{where}: expected an answer of a Triton server; got something else ({_text(error)})"
        ) from error


def _from_triton(error: InferenceServerException, where: str, timeout_s: float) -> AsrError:
    """Map an error status of the server, or one that gRPC made up, to the SDK's exception."""
    status = (error.status() or "").removeprefix("StatusCode.")
    said = error.message() or "no message"
    if isinstance(said, dict):  # of a gateway, as OpenAI has it
        said = said.get("message", said)
    message = " ".join(str(said)[:_MAX_MESSAGE].split())  # a page of some proxy has many lines
    text = message.lower()
    if status == "DEADLINE_EXCEEDED" or _EXPIRED in text:
        return RequestTimeout(_timeout_message(where, timeout_s))
    if status == "CANCELLED":  # by the other side: what we end ourselves is told by `Calls`
        return ConnectionFailed(f"{where}: the server gave the call up ({message})")
    if not status:
        # Raised by tritonclient itself, before or after the exchange.
        return ProtocolError(f"{where}: {message}")
    if any(words in text for words in DEAD_PROCESS):
        return ServerError(f"{where}: {message} ({_CRASH_HINT})", server_message=message)
    if status == "UNAVAILABLE":
        if any(part in text for part in _NO_CONNECTION_TEXTS) and "in ensemble" not in text:
            return ConnectionFailed(f"{where}: {connection_failure(message)}")
        return ServerNotReady(f"{where}: {message}", server_message=message)
    if text == _BROKEN_STREAM:
        return ConnectionFailed(f"{where}: the connection broke ({message})")
    if status == "UNIMPLEMENTED":
        return ServerError(
            f"{where}: {message} (is this the gRPC port of a Triton server?)",
            server_message=message,
        )
    kind = _KINDS.get(status, ServerError)
    if kind is ModelNotFound and "model" not in text:  # a 404 of something that is not Triton
        hint = "is this the HTTP port of a Triton server?"
        return ServerError(f"{where}: {message} ({hint})", server_message=message)
    return kind(f"{where}: {message}", server_message=message)


def _timeout_message(where: str, timeout_s: float) -> str:
    return f"{where}: no answer within {timeout_s:.3g} s"


def _text(error: BaseException) -> str:
    """Return the exception's text, or its name where it has none."""
    return str(error)[:_MAX_MESSAGE].strip() or type(error).__name__
