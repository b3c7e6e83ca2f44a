"""Forced alignment: when each word of a text is heard in a recording.

`requests` says it to the server, without any input or output; `windows` cuts a recording of any
length into what is asked at a time; `texts` finds words and sentences; `choice` says which model
fits them, and `phrases` what `fa-zh` is given at a time; `omissions` says which of equal words is
not heard; `results` is what comes out, and `formats` how it is written. `aio.alignment` does it.
"""

from .choice import ALIGNMENT_MODELS
from .formats import ALIGNMENT_FORMATS, format_alignment
from .results import AlignedSentence, AlignedWord, Alignment

__all__ = [
    "ALIGNMENT_FORMATS",
    "ALIGNMENT_MODELS",
    "AlignedSentence",
    "AlignedWord",
    "Alignment",
    "format_alignment",
]
