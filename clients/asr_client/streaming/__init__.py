"""Live audio: what is said in a streaming session, and what the answers mean.

`audio` takes pieces of any rate and keeps what waits to be sent, `protocol` builds the requests of
a session and reads their answers. `AsyncClient.stream` puts both on a connection.
"""

from .audio import LiveAudio, LiveReader, Outbox
from .protocol import SequenceRequests

__all__ = [
    "LiveAudio",
    "LiveReader",
    "Outbox",
    "SequenceRequests",
]
