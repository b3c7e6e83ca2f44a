"""The exceptions of the SDK: one tree, rooted in `AsrError`.

    AsrError
    ├── AudioError         the audio cannot be used (client side)
    ├── DecoderFailed      ffmpeg was killed, crashed or hung; the file need not be wrong
    ├── StorageFull        there is no room for a temporary file
    ├── Overloaded         too much is decoded at once already
    ├── OptionError        an option has a value the SDK does not know (client side)
    ├── ClientClosed       the client, or the session, was closed before or during the call
    ├── ConnectionFailed   no connection, or it broke before the answer was complete
    ├── RequestTimeout     no answer within `timeout_s`
    ├── ServerNotReady     the server answers, but the model or the server is not ready
    │   └── SessionLimitReached  it has as many streaming sessions open as it allows
    ├── SessionLost        a streaming session ended before its time; says what was lost
    ├── RequestRejected    the server refuses the request as invalid
    │   └── ModelNotFound  the server has no model of that name
    └── ServerError        the server failed while it worked on a valid request
        └── ProtocolError  the model's inputs or outputs are not those the SDK speaks

The SDK never repeats a request by itself, so each of them is the outcome of one attempt. Only with
several servers, a request that fails because of one server is tried on another, once.
`ConnectionFailed`, `RequestTimeout`, `ServerNotReady`, `DecoderFailed`, `StorageFull` and
`Overloaded` may pass by waiting: recognition has no side effects, so a caller may repeat it safely.
The same holds for a streaming session, whose reason to be lost (one of the others) is the
`__cause__` of `SessionLost`.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


class AsrError(Exception):
    """Base of every exception the SDK raises on purpose.

    `server_message` is the server's own text where the server gave one, else None.
    """

    def __init__(self, message: str, *, server_message: str | None = None) -> None:
        super().__init__(message)
        self.server_message = server_message


class AudioError(AsrError, ValueError):
    """The audio cannot be read or makes no sense; the message says what was expected."""


class DecoderFailed(AsrError):
    """ffmpeg was killed, crashed or gave nothing for too long; another attempt may succeed."""


class StorageFull(AsrError):
    """There is no room on the disk for a temporary file."""


class Overloaded(AsrError):
    """As many files are decoded at once as may be, and none was done in time."""


class OptionError(AsrError, ValueError):
    """An option such as the language or the URL has a value the SDK does not know."""


class ClientClosed(AsrError):
    """The client, or the session, was closed before the call, or while it was under way."""


class ConnectionFailed(AsrError, ConnectionError):
    """The server cannot be reached, or the connection broke before the answer was complete."""


class RequestTimeout(AsrError, TimeoutError):
    """The answer did not arrive within the timeout of the call."""


class ServerNotReady(AsrError):
    """The server was reached, but it or the model is loading, stopping, overloaded or gone."""


class SessionLimitReached(ServerNotReady):
    """The server refuses a new streaming session, because as many as it allows are open."""


class SessionLost(AsrError):
    """A streaming session ended before its time; the reason is the exception's `__cause__`.

    The server has forgotten the session, and no other could go on with it. A new one may begin
    with the audio that was not acknowledged; what the server had acknowledged but not yet
    recognised (up to a chunk and its look-ahead) lies between the end of the last token and
    `acknowledged_s`.

    Attributes:
        acknowledged_s: seconds of audio that the server has answered for.
        sent_s: seconds of audio that the session was given.
        text: recognised so far, with what might still have changed. The session's `final_text`,
            `tokens` and `timestamps_ms` remain readable.
    """

    def __init__(
        self,
        message: str,
        *,
        acknowledged_s: float,
        sent_s: float,
        text: str,
        server_message: str | None = None,
    ) -> None:
        super().__init__(message, server_message=server_message)
        self.acknowledged_s = acknowledged_s
        self.sent_s = sent_s
        self.text = text


class RequestRejected(AsrError):
    """The server refused the request as invalid; the message is the server's."""


class ModelNotFound(RequestRejected):
    """The server does not have a model of that name."""


class ServerError(AsrError):
    """The server failed while it worked on the request."""


class ProtocolError(ServerError):
    """The model's inputs or outputs are not those of a speech recogniser the SDK knows."""


@contextmanager
def located(where: str) -> Iterator[None]:
    """Say of an `AsrError` where it happened; its kind stays."""
    try:
        yield
    except AsrError as error:
        message = f"{where}: {error}"
        raise type(error)(message, server_message=error.server_message) from error
