"""Speech that is recognised while it is spoken, whatever protocol brings it.

    session      a websocket session: reads messages, watches for silence, ends in good order
    admission    who gets one, and its socket
    channel      the socket as a session sees it, and the codes with which it is closed
    inbox        live audio: the bounded queue to the models
    arrivals     when audio came
    latencies    how late its text is
    recognition  an utterance: VAD, first pass while it is spoken, second pass behind it
    pace         whether that keeps up, and what is left out while it does not
    first_pass   the model that gives text while a stretch is spoken
    recovering   runs it again where Triton died
    retelling    what of its text was told before

A protocol is a subclass of `LiveSession`, and an `Utterance` that turns reports into its messages.
"""

from .admission import WebSocketChannel, serve_session
from .channel import TOO_BIG, Channel, ChannelClosed
from .inbox import AudioInbox
from .latencies import TextLatencies
from .recovering import recognise_live
from .reports import Bound, Partial, Spoken
from .session import Admission, LiveSession, Utterance

__all__ = [
    "TOO_BIG",
    "Admission",
    "AudioInbox",
    "Bound",
    "Channel",
    "ChannelClosed",
    "LiveSession",
    "Partial",
    "Spoken",
    "TextLatencies",
    "Utterance",
    "WebSocketChannel",
    "recognise_live",
    "serve_session",
]
