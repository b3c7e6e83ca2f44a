"""The socket as a connection sees it, and the codes with which it is closed."""

from __future__ import annotations

from typing import Any, Protocol

from asr_client import AudioError, DecoderFailed, Overloaded, StorageFull
from asr_client.storage import is_full

# Close codes (RFC 6455, 7.4.1)
NORMAL = 1000
GOING_AWAY = 1001
BAD_DATA = 1007
REFUSED = 1008
TOO_BIG = 1009
FAILED = 1011
TRY_LATER = 1013
# Of our own, which begin at 4000
DECODER_FAILED = 4500
STORAGE_FULL = 4507


class ChannelClosed(Exception):
    """The client has gone."""


class Channel(Protocol):
    """The socket, as a connection sees it."""

    async def receive(self) -> str | bytes:
        """Wait for the next message.

        Raises:
            ChannelClosed: there is none.
        """

    async def send(self, reply: dict[str, Any]) -> None:
        """Send a reply; waits for a client that does not read.

        Raises:
            ChannelClosed: it does not read for too long, or has gone.
        """

    async def close(self, code: int, reason: str) -> None:
        """Close the connection; harmless when it is closed."""


def close_code(error: Exception) -> int:
    """Return the close code for a failure of the SDK or of this machine."""
    if isinstance(error, AudioError):
        return BAD_DATA
    if isinstance(error, DecoderFailed):
        return DECODER_FAILED
    if isinstance(error, Overloaded):
        return TRY_LATER
    if isinstance(error, StorageFull) or is_full(error):
        return STORAGE_FULL
    return FAILED
