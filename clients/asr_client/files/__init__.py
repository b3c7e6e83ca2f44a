"""Transcribes files of any length: what happens between the media decoder and the sentences.

    ffmpeg ── blocks of PCM ──> `vad` sequence ── segments ──> recogniser ── in order ──>
    punctuation (where the recogniser does none) ──> sentences ──> ITN ──> words with times

`speech_detection` speaks to the model `vad`, `segments` cuts the audio where it says, `punctuation`
speaks to the model of that name, `sentences` makes sentences of what was recognised, and
`aio.transcription` runs all of it at once, bounded at every step: whoever reads the sentences sets
the pace, back to ffmpeg. Speech that is heard live goes through the same parts one by one, by
`segment_recogniser`.
"""

from .options import DEFAULT_SEGMENT_MS, VAD_OPTIONS, FileOptions
from .segment_recogniser import SegmentRecogniser
from .segments import Segment, SegmentCutter
from .sentences import (
    join_texts,
    recognised_segment,
    whole_transcript,
)
from .served_models import ServedModels
from .speech_detection import SpeechDetector

__all__ = [
    "DEFAULT_SEGMENT_MS",
    "VAD_OPTIONS",
    "FileOptions",
    "Segment",
    "SegmentCutter",
    "SegmentRecogniser",
    "ServedModels",
    "SpeechDetector",
    "join_texts",
    "recognised_segment",
    "whole_transcript",
]
