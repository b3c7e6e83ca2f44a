"""Audio that comes before a client's first JSON message, which says what it is.

FunASR's offline server hears it. Its live servers do not: they open their stream by that message.
(websocket-server.cpp, websocket-server-2pass.cpp, funasr_wss_server.py)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator

from .recorded import TooMuchAudio

_IN_MEMORY = 1 << 18  # bytes; more goes to disk
_PIECE = 1 << 20


class EarlyAudio:
    """Keeps it until it is known what it is for.

    Args:
        max_bytes: what the gateway takes.

    Attributes:
        received_bytes: how much is kept.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._file = tempfile.SpooledTemporaryFile(_IN_MEMORY)  # noqa: SIM115 - `close` does
        self.received_bytes = 0

    def put(self, data: bytes) -> None:
        """Add bytes.

        Raises:
            TooMuchAudio: they are too many.
        """
        if self.received_bytes + len(data) > self._max_bytes:
            raise TooMuchAudio(self._max_bytes)
        self.received_bytes += len(data)
        self._file.write(data)

    def pieces(self) -> Iterator[bytes]:
        """Yield all of it, in order."""
        self._file.seek(0)
        while piece := self._file.read(_PIECE):
            yield piece

    def close(self) -> None:
        """Forget it."""
        self._file.close()
        self.received_bytes = 0
