"""Finds the samples in the bytes of a file, in pieces of any size and in order."""

from __future__ import annotations

from enum import Enum, auto

from ..samples import PcmFormat
from .header import MAX_HEADER_BYTES, Container, Header, NotUncompressed
from .iff import AIFF, AU, CAF
from .riff import WAV, WAVE64
from .split_frames import LOOK_FRAMES, goes_on

CONTAINERS = (WAV, AIFF, AU, CAF, WAVE64)

HEADERS = tuple(lead for container in CONTAINERS for lead in container.leads)
"""How files of uncompressed samples begin: four bytes each."""

# What must be seen behind samples to know what it is: padding, and the beginning of any container.
_LOOK_AHEAD = 8 + max(container.pattern_bytes for container in CONTAINERS)

Samples = list[tuple[Header, bytes]]


# What may be missing at the end without a word: some headers count themselves.
_MISSING_BYTES = 64


class _State(Enum):
    BEGINNING = auto()  # a header is expected
    SAMPLES = auto()
    BEHIND = auto()  # the header says that its samples end here


class SampleStream:
    """Turns bytes into samples, whatever the sizes in their headers say.

    What a header calls the end of its samples is not believed: what stands there is another
    header, a chunk that is known to stand there, or else more samples. A header between samples
    begins another file, of the same format or another.

    Args:
        raw: the format of bytes that begin without a header; None to refuse those.
        is_ours: the bytes are a decoder's, which writes one header and nothing else.

    Attributes:
        container: of the last header; None for raw samples.
        stated_bytes: what the last header says of its samples' size; None where it does not.
        missing_bytes: how many of them are not there, when all was fed.
        ends_within: "header" or "sample" where the last bytes are the beginning of one, and no
            header says how much there is; "" otherwise.
        is_plain: there was one header so far, and its size was right.
    """

    def __init__(self, raw: PcmFormat | None = None, *, is_ours: bool = False) -> None:
        self._raw = raw
        self._is_ours = is_ours
        self._state = _State.BEGINNING
        self._buffer = b""
        self._header: Header | None = None
        self._left: int | None = None  # bytes of samples that the header says are to come
        self._partial = b""  # of a frame, where samples end
        self._begun = b""  # the same, before the header whose samples are expected
        self._skip = 0
        self._ended = False
        self._sizes: set[int | None] = set()  # that headers say
        self._given = 0  # bytes of samples behind them
        self._early_s: float = 0.0  # what is missing before a header that comes too early
        self.container: Container | None = None
        self.stated_bytes: int | None = None
        self.missing_bytes = 0
        self.ends_within = ""
        self.is_plain = True

    def feed(self, data: bytes) -> Samples:
        """Return the samples that are complete, whole frames of each header's format.

        Those of a codec are bytes as they come.

        Raises:
            NotUncompressed: the bytes begin with no header that is known.
        """
        self._buffer += data
        found: Samples = []
        while self._step(found):
            pass
        return found

    def finish(self) -> Samples:
        """Return what was held back; nothing follows."""
        self._ended = True
        found = self.feed(b"")
        if self._state is _State.SAMPLES and self._left is not None:
            self.missing_bytes = self._left
        elif self._state is _State.SAMPLES and self._given > (self.stated_bytes or 0):
            form = self._header.format if self._header else None
            frame_bytes = 1 if form is None else form.frame_bytes
            is_padding = frame_bytes % 2 == 1 and self._buffer == b"\0"
            self.ends_within = "sample" if self._buffer and not is_padding else ""
        elif self._state is _State.BEGINNING and self._buffer:
            self.ends_within = "header"
        return found

    def missing_s(self) -> float:
        """Return how much is missing of what the headers say, in seconds, after `finish`.

        Headers that all say the same size, behind which there is no more than that, say it of the
        whole.
        """
        stated = next(iter(self._sizes), None)
        if len(self._sizes) == 1 and stated is not None and self._given <= stated:
            return self._seconds(stated - self._given)
        return self._early_s + self._seconds(self.missing_bytes)

    def _seconds(self, missing_bytes: int) -> float:
        """Return how long so many bytes of the last header's samples are; 0 for a few."""
        if self._header is None or missing_bytes <= _MISSING_BYTES:
            return 0.0
        return missing_bytes / self._header.bytes_per_s

    def _step(self, found: Samples) -> bool:
        """Go on as far as one state goes; return whether there is more to do."""
        if self._skip:
            skipped = min(self._skip, len(self._buffer))
            self._buffer = self._buffer[skipped:]
            self._skip -= skipped
            return not self._skip
        if self._state is _State.BEGINNING:
            return self._begin()
        if self._state is _State.SAMPLES:
            return self._take(found)
        return self._look_behind(found)

    def _begin(self) -> bool:
        """Read a header."""
        data = self._buffer
        may_begin = any(lead.startswith(data) for lead in HEADERS)
        if may_begin and len(data) < 4 and not self._ended:
            return False
        container = next((each for each in CONTAINERS if data.startswith(each.leads)), None)
        if container is not None and self._header is None:
            # At the beginning of a file four bytes may be enough, but not for text.
            if len(data) < container.pattern_bytes and not self._ended:
                return False
            if container.pattern.match(data) is None:
                container = None
        if container is None:
            if self._raw is None:
                raise NotUncompressed("no header of a file of samples")
            self._start(None, Header(self._raw, 0, None))
            return True
        header = container.read(data, self._ended)
        if header is None:
            if len(data) > MAX_HEADER_BYTES or (self._ended and self._header is None):
                raise NotUncompressed(f"a {container.name} header without samples")
            return False
        self._start(container, header)
        self._buffer = data[header.start :]
        self._skip = header.start - min(header.start, len(data))
        return True

    def _start(self, container: Container | None, header: Header) -> None:
        is_alike = self._header is not None and self._header.format == header.format
        self._begun = (self._begun or self._partial) if is_alike else b""
        self.container, self._header, self._left = container, header, header.size
        self._sizes.add(header.size)
        self.stated_bytes = header.size
        self._partial = b""
        self._state = _State.SAMPLES

    def _take(self, found: Samples) -> bool:
        """Give samples, up to where another file begins or the header says that they end."""
        data, left = self._buffer, self._left
        if self._is_ours:
            self._buffer = data[self._give(found, data) :]
            return False
        container = self.container or WAV
        end = len(data) if left is None else min(left, len(data))
        places = [each.find(data, end) for each in CONTAINERS]
        beginning = min((place for place in places if place >= 0), default=-1)
        certain = end
        if not self._ended:
            certain = min(end, *(each.find_partial(data) for each in CONTAINERS))
        if self._begun and left != 0:
            if beginning >= 0:
                return self._complete_frame(data[:beginning], is_all=True)
            return self._complete_frame(data[:certain], is_all=self._ended or certain == left)
        if beginning >= 0:
            taken = self._give(found, data[:beginning])
            self._partial = data[taken:beginning]
            self._early_s += self._seconds(0 if left is None else left - beginning)
            self._buffer = data[beginning:]
            self._state = _State.BEGINNING
            self.is_plain = False
            return True
        inner, length = container.find_inner(data, end)
        if inner >= 0 and inner != left:
            taken = self._give(found, data[:inner])
            self._begun = data[taken:inner]
            self._buffer, self._skip = data[inner:], length
            self._left = None if left is None else left - inner
            self.is_plain = False
            return True
        end = certain
        taken = self._give(found, data[:end])
        self._buffer = data[taken:]
        if left is not None:
            self._left = left - taken
            if taken <= end == left:
                self._partial = data[taken:end]
                self._buffer = data[end:]
                self._left = 0
                self._state = _State.BEHIND
                return True
        return False

    def _complete_frame(self, samples: bytes, *, is_all: bool) -> bool:
        """Put what was begun before a header to what stands behind it, if they are one frame.

        Where the sound does not tell, they are: a stream that is cut anywhere is commoner than a
        stray byte, and what was begun wrongly ends at the next header.

        Args:
            samples: what is there of those behind the header.
            is_all: no more of them will come.
        """
        form = self._header.format if self._header else None
        if form is None:
            return False
        least, most = (count * form.frame_bytes for count in LOOK_FRAMES)
        if len(samples) < least and not is_all:
            return False
        is_one = goes_on(self._begun, samples[:least], form)
        if is_one is None:  # the same bytes, however they come: so many, or so many
            if len(samples) < most and not is_all:
                return False
            is_one = goes_on(self._begun, samples[:most], form)
        begun, self._begun = self._begun, b""
        if is_one is not False:
            self._buffer = begun + self._buffer
            self._left = None if self._left is None else self._left + len(begun)
        return True

    def _give(self, found: Samples, data: bytes) -> int:
        """Add whole frames; return how many bytes they are."""
        header = self._header
        if header is None:
            return 0
        frame_bytes = 1 if header.format is None else header.format.frame_bytes
        whole = len(data) // frame_bytes * frame_bytes
        self._given += whole
        if whole:
            found.append((header, data[:whole]))
        return whole

    def _look_behind(self, found: Samples) -> bool:
        """See what stands where the samples should end."""
        data, header, container = self._buffer, self._header, self.container
        if header is None or container is None:
            raise RuntimeError("samples without a header have no end")
        if not self._ended and len(data) < _LOOK_AHEAD:
            return False
        size = header.size or 0
        if len(data) <= -size % container.alignment and not data.strip(b"\0"):
            return False
        for pad in range(min(8, len(data))):
            begins = any(each.pattern.match(data, pad) for each in CONTAINERS)
            if begins and not data[:pad].strip(b"\0"):
                self._buffer = data[pad:]
                self._state = _State.BEGINNING
                self.is_plain = False
                return True
        self._skip = container.chunk_bytes(data, header.chunks_end, size)
        if self._skip:
            return True
        self.is_plain = False
        self._buffer = self._partial + data
        self._partial, self._left = b"", None
        self._state = _State.SAMPLES
        return True
