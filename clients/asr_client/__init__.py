"""Client SDK for speech recognition on a Triton Inference Server.

    from asr_client import Client

    with Client("grpc://127.0.0.1:8001") as client:
        print(client.transcribe("speech.wav", language="zh").text)
        with client.stream() as session:  # live audio; the text grows in session.text
            session.send(samples)
            print(session.finish().text)

`AsyncClient` has the same methods to be awaited. `errors` lists what can go wrong.
"""

from .aio import AsyncClient
from .audio import AudioInput, Pcm
from .cer import ErrorCount, count_errors
from .client import Client
from .errors import (
    AsrError,
    AudioError,
    ClientClosed,
    ConnectionFailed,
    ModelNotFound,
    OptionError,
    ProtocolError,
    RequestRejected,
    RequestTimeout,
    ServerError,
    ServerNotReady,
    SessionLimitReached,
    SessionLost,
)
from .languages import LANGUAGE_IDS
from .loading import load_audio
from .results import ModelInfo, Outcome, StreamUpdate, Transcript
from .session import StreamSession
from .session_aio import AsyncStreamSession

__all__ = [
    "LANGUAGE_IDS",
    "AsrError",
    "AsyncClient",
    "AsyncStreamSession",
    "AudioError",
    "AudioInput",
    "Client",
    "ClientClosed",
    "ConnectionFailed",
    "ErrorCount",
    "ModelInfo",
    "ModelNotFound",
    "OptionError",
    "Outcome",
    "Pcm",
    "ProtocolError",
    "RequestRejected",
    "RequestTimeout",
    "ServerError",
    "ServerNotReady",
    "SessionLimitReached",
    "SessionLost",
    "StreamSession",
    "StreamUpdate",
    "Transcript",
    "count_errors",
    "load_audio",
]
