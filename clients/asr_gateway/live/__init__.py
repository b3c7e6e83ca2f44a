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
from .channel import Channel, ChannelClosed
from .first_pass import first_pass
from .inbox import AudioInbox, AudioSource
from .latencies import TextLatencies
from .recognition import LiveRecognition
from .recovering import RecoveringRecognition
from .reports import Bound, Partial, Report, Spoken
from .session import TOO_BIG, LiveSession, Utterance

__all__ = [
    "TOO_BIG",
    "AudioInbox",
    "AudioSource",
    "Bound",
    "Channel",
    "ChannelClosed",
    "LiveRecognition",
    "LiveSession",
    "Partial",
    "RecoveringRecognition",
    "Report",
    "Spoken",
    "TextLatencies",
    "Utterance",
    "WebSocketChannel",
    "first_pass",
    "serve_session",
]
