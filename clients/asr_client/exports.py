"""What `asr_client` exports, and where it is from."""

from asr_contract import LANGUAGE_IDS, ErrorCount, count_errors

from .aio.client import AsyncClient
from .aio.session import AsyncStreamSession
from .aio.stretches import AsyncStretchSession
from .aio.transcription import AsyncFileTranscription
from .alignment import AlignedSentence, AlignedWord, Alignment
from .audio.loading import AudioWarning, load_audio
from .audio.waveform import AudioInput, Pcm
from .blocking.client import Client
from .blocking.session import StreamSession
from .blocking.transcription import FileTranscription
from .errors import (
    AsrError,
    AudioError,
    ClientClosed,
    ConnectionFailed,
    DecoderFailed,
    ModelNotFound,
    OptionError,
    Overloaded,
    ProtocolError,
    RequestRejected,
    RequestTimeout,
    ServerError,
    ServerNotReady,
    SessionLimitReached,
    SessionLost,
    StorageFull,
)
from .files.options import FileOptions
from .known_speakers import KnownSpeakers
from .results import (
    FileSummary,
    FileTimings,
    FileTranscript,
    ModelInfo,
    Outcome,
    Sentence,
    SpeakerTurn,
    StreamUpdate,
    Transcript,
    Word,
)

__all__ = [
    "LANGUAGE_IDS",
    "AlignedSentence",
    "AlignedWord",
    "Alignment",
    "AsrError",
    "AsyncClient",
    "AsyncFileTranscription",
    "AsyncStreamSession",
    "AsyncStretchSession",
    "AudioError",
    "AudioInput",
    "AudioWarning",
    "Client",
    "ClientClosed",
    "ConnectionFailed",
    "DecoderFailed",
    "ErrorCount",
    "FileOptions",
    "FileSummary",
    "FileTimings",
    "FileTranscript",
    "FileTranscription",
    "KnownSpeakers",
    "ModelInfo",
    "ModelNotFound",
    "OptionError",
    "Outcome",
    "Overloaded",
    "Pcm",
    "ProtocolError",
    "RequestRejected",
    "RequestTimeout",
    "Sentence",
    "ServerError",
    "ServerNotReady",
    "SessionLimitReached",
    "SessionLost",
    "SpeakerTurn",
    "StorageFull",
    "StreamSession",
    "StreamUpdate",
    "Transcript",
    "Word",
    "count_errors",
    "load_audio",
]
