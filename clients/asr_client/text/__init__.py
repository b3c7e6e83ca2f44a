"""What is done with recognised text: words and their times, figures, subtitles, error rates."""

from asr_contract.error_rate import ErrorCount, count_errors

from .alignment import align_words, text_units
from .itn import find_numbers, normalize_numbers
from .subtitles import srt, tsv, vtt

__all__ = [
    "ErrorCount",
    "align_words",
    "count_errors",
    "find_numbers",
    "normalize_numbers",
    "srt",
    "text_units",
    "tsv",
    "vtt",
]
