"""What is done with recognised text: words and their times, figures, subtitles."""

from .alignment import align_words, text_units
from .itn import normalize_numbers
from .json_lines import json_line
from .subtitles import spoken_line, srt, tsv, vtt

__all__ = [
    "align_words",
    "json_line",
    "normalize_numbers",
    "spoken_line",
    "srt",
    "text_units",
    "tsv",
    "vtt",
]
