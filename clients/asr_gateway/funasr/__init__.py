"""FunASR's websocket protocol, from the socket to the models and back.

    websocket    the endpoint
    connection   which message begins, feeds and ends an utterance
    protocol     what a client says: each field, and how it is read
    replies      what it is told
    listener     an utterance: takes its audio, sends the replies, in two kinds: while it is spoken,
                 by the room `live`, or
    recorded     when all of it is there: the SDK's file pipeline
    realtime     the commands of FunASR's realtime server, in place of JSON
    early_audio  what comes before the first message
    stamps       the forms in which times of words are given

A field of a client's: `protocol.py` reads it, `listener.py` says what it means. A field of a reply:
`replies.py`.
"""

from .websocket import WebSocketEndpoint

__all__ = ["WebSocketEndpoint"]
