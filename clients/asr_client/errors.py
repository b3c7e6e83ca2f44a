"""The exceptions of the SDK: one tree, rooted in `AsrError`.

    AsrError
    ├── AudioError         the audio cannot be used (client side)
    ├── OptionError        an option has a value the SDK does not know (client side)
    ├── ClientClosed       the client was closed before or during the call
    ├── ConnectionFailed   no connection, or it broke before the answer was complete
    ├── RequestTimeout     no answer within `timeout_s`
    ├── ServerNotReady     the server answers, but the model or the server is not ready
    ├── RequestRejected    the server refuses the request as invalid
    │   └── ModelNotFound  the server has no model of that name
    └── ServerError        the server failed while it worked on a valid request
        └── ProtocolError  the model's inputs or outputs are not those the SDK speaks

The SDK never repeats a request by itself, so each of them is the outcome of one attempt.
`ConnectionFailed`, `RequestTimeout` and `ServerNotReady` are those that may pass by waiting;
recognition has no side effects, so a caller may repeat it safely.
"""

from __future__ import annotations


class AsrError(Exception):
    """Base of every exception the SDK raises on purpose.

    `server_message` is the server's own text where the server gave one, else None.
    """

    def __init__(self, message: str, *, server_message: str | None = None) -> None:
        super().__init__(message)
        self.server_message = server_message


class AudioError(AsrError, ValueError):
    """The audio cannot be read or makes no sense; the message says what was expected."""


class OptionError(AsrError, ValueError):
    """An option such as the language or the URL has a value the SDK does not know."""


class ClientClosed(AsrError):
    """The client was closed before the call, or while it was under way."""


class ConnectionFailed(AsrError, ConnectionError):
    """The server cannot be reached, or the connection broke before the answer was complete."""


class RequestTimeout(AsrError, TimeoutError):
    """The answer did not arrive within the timeout of the call."""


class ServerNotReady(AsrError):
    """The server was reached, but it or the model is loading, stopping, overloaded or gone."""


class RequestRejected(AsrError):
    """The server refused the request as invalid; the message is the server's."""


class ModelNotFound(RequestRejected):
    """The server does not have a model of that name."""


class ServerError(AsrError):
    """The server failed while it worked on the request."""


class ProtocolError(ServerError):
    """The model's inputs or outputs are not those of a speech recogniser the SDK knows."""
