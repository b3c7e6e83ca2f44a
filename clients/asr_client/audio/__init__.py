"""Whatever holds audio, as 16 kHz mono float32: one reader for every way in.

`containers` finds the samples in uncompressed files whatever their headers say, `media` has ffmpeg
decode all others, and `conversion` makes of frames of any rate and any channels what the models
take. `loading` takes a whole recording, `media.MediaDecoder` a long one piece by piece.
"""

from .containers import HEADERS
from .conversion import Channels, Converter, read_channels
from .loading import AudioWarning, LoadedAudio, load_audio, load_recording, load_recording_async
from .media import BLOCK_SAMPLES, MediaDecoder, MediaSource, find_ffmpeg
from .raw import PCM_FORMATS, RAW_CODECS, begins_as_file, raw_format_of_name
from .samples import PcmFormat
from .waveform import (
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    AudioInput,
    Pcm,
    Waveform,
)

__all__ = [
    "BLOCK_SAMPLES",
    "HEADERS",
    "MAX_SAMPLE_RATE",
    "MIN_SAMPLE_RATE",
    "PCM_FORMATS",
    "RAW_CODECS",
    "AudioInput",
    "AudioWarning",
    "Channels",
    "Converter",
    "LoadedAudio",
    "MediaDecoder",
    "MediaSource",
    "Pcm",
    "PcmFormat",
    "Waveform",
    "begins_as_file",
    "find_ffmpeg",
    "load_audio",
    "load_recording",
    "load_recording_async",
    "raw_format_of_name",
    "read_channels",
]
