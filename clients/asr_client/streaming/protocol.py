"""What is said in a streaming session and what the answers mean, without any input or output.

A session is a sequence of requests of one non-zero id: START, audio, …, END. Each holds

    WAV         FP32  [1, samples]  16 kHz, [-1, 1]; any number of samples, none included
    WAV_LENS    INT32 [1, 1]        their number

START may carry the request parameters `chunk_size` and `hotwords`. Each is answered, in order, by

    TRANSCRIPTS STRING [1]          the text that became final with this request
    TEXT        STRING [1, 1]       the whole text so far, with what may still change
    TOKENS      STRING [1, n]       the words of TRANSCRIPTS
    TIMESTAMPS  INT32  [1, n, 2]    their start and end in ms from the start of the stream
    CONFIDENCE  FP32   [1, n]       0 to 1
    IS_FINAL    BOOL   [1, 1]       true in the answer to END
    HOTWORDS_LEFT_OUT STRING [1, n] what is wrong with hotwords that are not used

Only TRANSCRIPTS is required of an answer, so servers that offer less are understood too.
"""

from __future__ import annotations

import secrets
from collections.abc import Mapping, Sequence
from typing import Any, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE
from asr_contract.tensors import (
    CHUNK_SIZE_PARAMETER,
    HOTWORDS_PARAMETER,
    IS_FINAL,
    TEXT,
    TRANSCRIPTS,
    WAV,
)

from ..audio.waveform import Waveform
from ..errors import AsrError, ProtocolError, SessionLimitReached
from ..hotwords import Hotwords, encode_hotwords
from ..options import checked_chunk_size
from ..protocol import (
    InferRequest,
    SequenceStep,
    audio_inputs,
    row_tokens,
    text_column,
    unused_hotwords,
)
from ..results import StreamUpdate, Transcript

T = TypeVar("T")

# Audio in one request, and from when on a session sends no more until answers come. The server
# takes 30 s; less gives text, and a sign of life, earlier. And it keeps for good the memory of the
# largest request for each that ever was on the way at once.
MAX_REQUEST_SAMPLES = 2 * SAMPLE_RATE
MAX_IN_FLIGHT_SAMPLES = 2 * MAX_REQUEST_SAMPLES

# A server that has no room lets sequences make way that were idle for 10 s, and forgets any that
# was idle for 60 s. A request without audio costs it nothing.
KEEP_ALIVE_S = 3.0

# How long leaving a session early waits for the server to take note of its end.
CLOSE_TIMEOUT_S = 3.0

_NO_AUDIO = np.zeros(0, np.float32)


def new_sequence_id() -> int:
    """Return a random id in 1 … 2^63 - 1, so that clients need not agree on theirs."""
    return secrets.randbelow(2**63 - 1) + 1


class SequenceRequests:
    """Builds the requests of one session.

    Args:
        model: name of the Triton model.
        chunk_size: [look-back, chunk, look-ahead] in steps of 60 ms; the model's when None.
        hotwords: words to expect.

    Raises:
        OptionError: an option makes no sense.
    """

    def __init__(
        self, model: str, chunk_size: Sequence[int] | None = None, hotwords: Hotwords = None
    ) -> None:
        self.model = model
        self.sequence_id = new_sequence_id()
        size = checked_chunk_size(chunk_size)
        self._parameters = {CHUNK_SIZE_PARAMETER: str(size)} if size else {}
        if words := encode_hotwords(hotwords):
            self._parameters[HOTWORDS_PARAMETER] = words

    def start(self) -> InferRequest:
        """Return the request with START, without audio."""
        return self._request(_NO_AUDIO, SequenceStep(self.sequence_id, start=True))

    def audio(self, waveform: Waveform, *, end: bool = False) -> InferRequest:
        """Return the request with audio, [samples] float32 at 16 kHz, with END or not."""
        return self._request(waveform, SequenceStep(self.sequence_id, end=end))

    def nothing(self) -> InferRequest:
        """Return a request without audio, which keeps the sequence."""
        return self.audio(_NO_AUDIO)

    def end(self) -> InferRequest:
        """Return the request with END, without audio."""
        return self.audio(_NO_AUDIO, end=True)

    def _request(self, waveform: Waveform, step: SequenceStep) -> InferRequest:
        parameters = self._parameters if step.start else {}
        return InferRequest(self.model, audio_inputs([waveform]), step, parameters)


def opening_failure(error: AsrError) -> AsrError:
    """Return `error`, or SessionLimitReached if that is what the server's answer to START says."""
    if error.server_message and "sessions" in error.server_message:
        return SessionLimitReached(str(error), server_message=error.server_message)
    return error


class ShownText:
    """A text that grows: the whole of it, and the part that is final."""

    def __init__(self) -> None:
        self._texts = ("", "")  # replaced as one: threads may read while answers come

    @property
    def text(self) -> str:
        """The whole text."""
        return self._texts[0]

    @property
    def final_text(self) -> str:
        """The beginning of the text that will not change any more."""
        return self._texts[1]

    @property
    def partial_text(self) -> str:
        """The end of the text, which may still change."""
        text, final_text = self._texts
        return text[len(final_text) :]


class StreamTranscript(ShownText):
    """What the answers of one session have given so far.

    Attributes:
        tokens: the words or characters of `final_text`.
        timestamps_ms: (start, end) of each token; None when the model gives no times.
        confidence: of each token, 0 to 1; None when the model gives none.
        acknowledged_samples: audio that was answered for, at 16 kHz.
        is_final: the answer to END was there.
        warnings: one for each hotword that the model left out.
    """

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model
        self.tokens: list[str] = []
        self.timestamps_ms: list[tuple[int, int]] | None = []
        self.confidence: list[float] | None = []
        self.acknowledged_samples = 0
        self.is_final = False
        self.warnings: list[str] = []

    def accept(self, request: InferRequest, outputs: Mapping[str, NDArray[Any]]) -> None:
        """Take in the answer to a request; answers come in the order of their requests.

        Raises:
            ProtocolError: it is not what a streaming model answers.
        """
        new_texts = text_column(outputs, TRANSCRIPTS, 1)
        if new_texts is None:
            raise ProtocolError(
                f"model {self._model!r}: expected the output TRANSCRIPTS; got "
                f"{', '.join(sorted(outputs))}"
            )
        final_text = self.final_text + new_texts[0]
        whole_texts = text_column(outputs, TEXT, 1)
        text = whole_texts[0] if whole_texts else final_text
        if not text.startswith(final_text):
            raise ProtocolError(f"TEXT: expected it to begin with {final_text!r}; got {text!r}")
        tokens, timestamps_ms, confidence = row_tokens(outputs, 0, 1)
        is_end = request.step is not None and request.step.end
        is_final = _flag(outputs, IS_FINAL, default=is_end)
        if is_final != is_end:
            raise ProtocolError(f"IS_FINAL: expected {is_end} from this request; got {is_final}")
        if is_final and text != final_text:
            raise ProtocolError(f"TEXT: expected {final_text!r} at the end; got {text!r}")
        self._texts, self.is_final = (text, final_text), is_final
        if tokens:
            self.tokens += tokens
            self.timestamps_ms = joined(self.timestamps_ms, timestamps_ms)
            self.confidence = joined(self.confidence, confidence)
        self.warnings = unused_hotwords(outputs, 0, 1)
        self.acknowledged_samples += request.inputs[WAV].shape[1]

    def result(self) -> Transcript:
        """Return the transcript of the audio acknowledged."""
        return Transcript(
            text=self.final_text,
            model=self._model,
            duration_s=self.acknowledged_samples / SAMPLE_RATE,
            tokens=list(self.tokens),
            timestamps_ms=_since(self.timestamps_ms, 0),
            confidence=_since(self.confidence, 0),
            raw_text=self.final_text,
            warnings=list(self.warnings),
        )


class Growing(Protocol):
    """A transcript that grows: what `StreamTranscript` says of its text."""

    @property
    def text(self) -> str:
        """The whole text."""

    @property
    def final_text(self) -> str:
        """The beginning of the text that will not change any more."""

    @property
    def partial_text(self) -> str:
        """The end of the text, which may still change."""

    @property
    def tokens(self) -> list[str]:
        """The words or characters of the final text."""

    @property
    def timestamps_ms(self) -> list[tuple[int, int]] | None:
        """(start, end) of each of them."""

    @property
    def confidence(self) -> list[float] | None:
        """Of each of them."""

    @property
    def acknowledged_samples(self) -> int:
        """Audio that was answered for."""

    @property
    def is_final(self) -> bool:
        """Whether nothing follows."""


class UpdateReader:
    """Reads a transcript that grows at its own pace: each update tells what is new since the last.

    A reader that is slower than the answers gets fewer and larger updates, never stale ones,
    and nothing piles up.
    """

    def __init__(self, transcript: Growing) -> None:
        self._transcript = transcript
        self._seen_text = ""
        self._seen_final = 0  # characters of the final text
        self._seen_tokens = 0
        self._done = False

    def read(self) -> StreamUpdate | None:
        """Return what has changed, or None if nothing has."""
        now = self._transcript
        unchanged = now.text == self._seen_text and len(now.final_text) == self._seen_final
        if self._done or (unchanged and not now.is_final):
            return None
        update = StreamUpdate(
            text=now.text,
            final_text=now.final_text,
            new_text=now.final_text[self._seen_final :],
            tokens=now.tokens[self._seen_tokens :],
            timestamps_ms=_since(now.timestamps_ms, self._seen_tokens),
            confidence=_since(now.confidence, self._seen_tokens),
            acknowledged_s=now.acknowledged_samples / SAMPLE_RATE,
            is_final=now.is_final,
        )
        self._seen_text, self._seen_final = now.text, len(now.final_text)
        self._seen_tokens = len(now.tokens)
        self._done = now.is_final
        return update


def joined(before: list[T] | None, new: list[T] | None) -> list[T] | None:
    """Append to what is known of all tokens; None if it is not known of some."""
    if before is None or new is None:
        return None
    before.extend(new)
    return before


def _since(values: list[T] | None, first: int) -> list[T] | None:
    """Return a copy of the values from `first` on, or None if there are none."""
    return None if values is None else values[first:]


def _flag(outputs: Mapping[str, NDArray[Any]], name: str, *, default: bool) -> bool:
    """Return a BOOL output of one element, or the default if the answer lacks it."""
    column = outputs.get(name)
    if column is None:
        return default
    if column.size != 1 or column.dtype != np.bool_:
        raise ProtocolError(f"{name}: expected BOOL [1, 1]; got {column.dtype} {column.shape}")
    return bool(column.reshape(-1)[0])
