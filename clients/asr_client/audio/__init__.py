"""Whatever holds audio, as 16 kHz mono float32.

`loading` takes a whole recording, `media` decodes a long one piece by piece with ffmpeg, and
`waveform` says what the models take.
"""

from .loading import load_audio, load_audio_async
from .media import BLOCK_SAMPLES, MediaDecoder, MediaSource, find_ffmpeg
from .waveform import (
    MAX_SAMPLE_RATE,
    MIN_SAMPLE_RATE,
    PCM_FORMATS,
    AudioInput,
    Pcm,
    Waveform,
)

__all__ = [
    "BLOCK_SAMPLES",
    "MAX_SAMPLE_RATE",
    "MIN_SAMPLE_RATE",
    "PCM_FORMATS",
    "AudioInput",
    "MediaDecoder",
    "MediaSource",
    "Pcm",
    "Waveform",
    "find_ffmpeg",
    "load_audio",
    "load_audio_async",
]
