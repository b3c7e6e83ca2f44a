"""How far messages of gRPC have come on a connection, read from its HTTP/2 frames as they pass.

gRPC hands a message over when it is whole, and holds what has come of it until then: up to 64 MiB
for each call, of which a client may have thousands. The frames' heads tell how much that is; what
is in headers is not read. (RFC 9113, 4.1 and 6; "gRPC over HTTP2".)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from asr_server.doors.body import MAX_BODY_BYTES
from asr_server.doors.tensors import Refused

PREFACE = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"

_HEAD_BYTES = 9
_DATA, _HEADERS, _RST_STREAM = 0, 1, 3
_END_STREAM, _PADDED = 0x1, 0x8
_PREFIX_BYTES = 5  # of a message: whether it is compressed, and its length


class Frames:
    """Cuts one direction of a connection into frames.

    Args:
        preface: what comes before them.
    """

    def __init__(self, preface: bytes = b"") -> None:
        self._preface = preface
        self._head = bytearray()
        self._kind = self._flags = self._stream = self._left = 0

    def feed(self, data: bytes) -> Iterator[tuple[int, int, int, memoryview]]:
        """Yield kind, flags, stream and a piece of the payload; flags with the last piece only.

        Raises:
            Refused: it is no HTTP/2, or as no client of gRPC writes it.
        """
        view = memoryview(data)
        if self._preface:
            count = min(len(self._preface), len(view))
            if self._preface[:count] != view[:count]:
                raise Refused("expected gRPC, which begins with the preface of HTTP/2")
            self._preface, view = self._preface[count:], view[count:]
        while view:
            count = min(self._left or _HEAD_BYTES - len(self._head), len(view))
            piece, view = view[:count], view[count:]
            if self._left:
                self._left -= count
            else:
                self._head += piece
                if len(self._head) < _HEAD_BYTES:
                    return
                self._begin()
                piece = piece[:0]
            if piece or not self._left:
                yield self._kind, 0 if self._left else self._flags, self._stream, piece

    def _begin(self) -> None:
        self._left = int.from_bytes(self._head[:3], "big")
        self._kind, self._flags = self._head[3], self._head[4]
        self._stream = int.from_bytes(self._head[5:], "big") & 0x7FFFFFFF
        self._head.clear()
        if self._kind == _DATA and self._flags & _PADDED:
            raise Refused("expected messages without padding")


@dataclass
class _Message:
    """What has arrived of one, in bytes behind its prefix; `left` is still to come."""

    prefix: bytearray = field(default_factory=bytearray)
    left: int = 0
    received: int = 0
    too_large: bool = False  # gRPC ends the call and keeps nothing of it


class Messages:
    """The calls of one connection, and the messages that have begun to arrive on it.

    Attributes:
        num_bytes: that have come of messages that are not whole.
        calls: streams of HTTP/2 that are open.
    """

    def __init__(self) -> None:
        self.num_bytes = 0
        self.calls: set[int] = set()
        self._messages: dict[int, _Message] = {}
        self._from_client, self._from_server = Frames(PREFACE), Frames()

    def sent(self, data: bytes) -> None:
        """Take notice of what the client sends.

        Raises:
            Refused: see `Frames.feed`.
        """
        for kind, flags, stream, piece in self._from_client.feed(data):
            if kind == _HEADERS:
                self.calls.add(stream)
            if kind == _DATA and stream in self.calls:
                self._arrived(stream, piece)
            if kind == _RST_STREAM:
                self._ended(stream)
            elif kind in (_DATA, _HEADERS) and flags & _END_STREAM:
                self._forget(stream)  # the answer is still to come

    def answered(self, data: bytes) -> None:
        """Take notice of what the server sends."""
        for kind, flags, stream, _ in self._from_server.feed(data):
            if kind == _RST_STREAM or (kind in (_DATA, _HEADERS) and flags & _END_STREAM):
                self._ended(stream)

    def _arrived(self, stream: int, piece: memoryview) -> None:
        while piece:
            message = self._messages.setdefault(stream, _Message())
            missing = _PREFIX_BYTES - len(message.prefix)
            if missing:
                message.prefix += piece[:missing]
                piece = piece[missing:]
                message.left = int.from_bytes(message.prefix[1:], "big")
                message.too_large = message.left > MAX_BODY_BYTES
            if message.too_large:
                return
            count = min(message.left, len(piece))
            message.left -= count
            message.received += count
            self.num_bytes += count
            piece = piece[count:]
            if len(message.prefix) == _PREFIX_BYTES and not message.left:
                self._forget(stream)

    def _forget(self, stream: int) -> None:
        message = self._messages.pop(stream, None)
        if message is not None:
            self.num_bytes -= message.received

    def _ended(self, stream: int) -> None:
        self._forget(stream)
        self.calls.discard(stream)
