"""Files of uncompressed samples, read piece by piece without believing what their headers say.

A header says what format the samples have; how many there are is what the bytes say. Sizes are
claims: recorders that are killed leave a zero, those that stream leave the size of what they had,
and joined files have headers in the middle.

    stream = SampleStream()
    for data in blocks:
        for header, samples in stream.feed(data):  # samples of header.format
            ...
    stream.finish()

`stream` is the state machine, without any input or output: the same for a file, an upload and a
socket. `riff` reads WAV, RF64 and Wave64, `iff` AIFF, AU and CAF.
"""

from .header import Header, NotUncompressed
from .stream import HEADERS, SampleStream

__all__ = ["HEADERS", "Header", "NotUncompressed", "SampleStream"]
