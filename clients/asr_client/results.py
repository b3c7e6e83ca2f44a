"""What recognition returns.

A `Transcript` for a recording, an `Outcome` for one of many, a `StreamUpdate` for a stream, and for
files of any length `Sentence`s and a `FileTranscript`.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from asr_contract import is_doubtful

from .confidence import geometric_mean


@dataclass(frozen=True)
class Transcript:
    """The recognised text of one recording and what the model says about it.

    Attributes:
        text: the clean text.
        model: name of the Triton model that answered.
        duration_s: length of the audio sent, in seconds.
        tokens: words (languages with spaces) or characters, in order.
        timestamps_ms: (start, end) of each token in ms; None when the model gives no times.
        confidence: probability of each token, 0 to 1; None when the model gives none.
        language: detected language such as "zh"; None when the model does not tell.
        emotion: such as "NEUTRAL"; None when the model does not tell.
        event: such as "Speech"; None when the model does not tell.
        raw_text: the model's own output, with SenseVoice's `<|zh|><|NEUTRAL|>…` tags.
        warnings: what is wrong with the audio, such as that the file is cut off, and what was not
            done as asked, such as a hotword that was left out.
    """

    text: str
    model: str
    duration_s: float
    tokens: list[str]
    timestamps_ms: list[tuple[int, int]] | None = None
    confidence: list[float] | None = None
    language: str | None = None
    emotion: str | None = None
    event: str | None = None
    raw_text: str = ""
    warnings: list[str] = field(default_factory=list)

    @property
    def doubtful(self) -> bool:
        """Whether the text is too uncertain to rely on, by the mean of `confidence`."""
        return is_doubtful(geometric_mean(self.confidence or ()), self.model)

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that `json.dumps` takes."""
        return {**asdict(self), "doubtful": self.doubtful}


@dataclass(frozen=True)
class Outcome:
    """How one item of `transcribe_many` ended: exactly one of the two fields is set.

    `index` is the item's position in the input, from 0.
    """

    index: int
    transcript: Transcript | None = None
    error: Exception | None = None

    def get(self) -> Transcript:
        """Return the transcript, or raise the error that the item ended with."""
        if self.error is not None:
            raise self.error
        if self.transcript is None:
            raise ValueError("an Outcome holds a transcript or an error; this one holds neither")
        return self.transcript


@dataclass(frozen=True)
class StreamUpdate:
    """How the text of a streaming session has changed since the update before.

    Attributes:
        text: the whole text so far, with what may still change.
        final_text: the part of it that will not change any more; `text` begins with it.
        new_text: what became final with this update; all of them joined are the final text.
        tokens: the words or characters of `new_text`.
        timestamps_ms: (start, end) of each of these tokens in ms from the start of the stream;
            None when the model gives no times.
        confidence: of each of these tokens, 0 to 1; None when the model gives none.
        acknowledged_s: seconds of audio that the server has answered for.
        is_final: the stream is complete, nothing follows.
    """

    text: str
    final_text: str
    new_text: str
    tokens: list[str]
    timestamps_ms: list[tuple[int, int]] | None
    confidence: list[float] | None
    acknowledged_s: float
    is_final: bool

    @property
    def partial_text(self) -> str:
        """The end of `text`, which may still change."""
        return self.text[len(self.final_text) :]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that `json.dumps` takes."""
        return {**asdict(self), "partial_text": self.partial_text}


@dataclass(frozen=True)
class Word:
    """A word, or a character of a language without spaces, and when it is heard, in ms.

    `confidence` is its probability, 0 to 1; None when the model gives none. `speaker` is whose it
    is, such as "S1", where speakers were asked for.
    """

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None = None
    speaker: str | None = None


@dataclass(frozen=True)
class Sentence:
    """A sentence of a long recording.

    Attributes:
        text: with punctuation and figures, as it is to be read.
        start_ms, end_ms: when it is heard, in ms from the beginning of the recording.
        words: the words of `text` in order, without punctuation; see `text.alignment`. Empty when
            the model gives no times.
        language: such as "zh"; None when the model does not tell.
        emotion, event: of the stretch of speech that it ends in, such as "NEUTRAL" and "Speech";
            None when the model does not tell.
        confidence: geometric mean of its words' probabilities, 0 to 1; None when the model gives
            none.
        channel: that it is heard in, from 1, where each is recognised apart; else None.
        doubtful: whether it is too uncertain to rely on, by the model's threshold; often there was
            no speech (docs/confidence.md).
        speaker: whose it is, such as "S1", where speakers were asked for.
    """

    text: str
    start_ms: int
    end_ms: int
    words: list[Word] = field(default_factory=list)
    language: str | None = None
    emotion: str | None = None
    event: str | None = None
    confidence: float | None = None
    channel: int | None = None
    doubtful: bool = False
    speaker: str | None = None

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that `json.dumps` takes."""
        return asdict(self)


@dataclass(frozen=True)
class SpeakerTurn:
    """A speaker's name, such as "S1", and from when to when, in ms of the recording."""

    speaker: str
    start_ms: int
    end_ms: int


@dataclass(frozen=True)
class FileTimings:
    """How long a file's transcription took, in seconds.

    Attributes:
        total_s: from opening the file to the last sentence, with the time that the reader of
            the sentences took.
        first_sentence_s: until the first sentence; None without any.
        detection_s: waiting for the VAD's answers.
        recognition_s: of the recogniser's answers, added up; several run at a time.
        punctuation_s: waiting for the punctuation model's answers.
    """

    total_s: float
    first_sentence_s: float | None
    detection_s: float
    recognition_s: float
    punctuation_s: float


@dataclass(frozen=True)
class FileSummary:
    """What is known of a file at its end.

    Attributes:
        duration_s: length of its audio, as decoded.
        speech_s: length of the segments in which the VAD found speech.
        segments: their number.
        language: the one most spoken, such as "zh"; None when the model does not tell.
        warnings: what is wrong with the file, such as that it is cut off, and what was not done as
            asked, such as a hotword that was left out.
        timings: how long it took.
        turns: who speaks when, in order, where speakers were asked for.
    """

    duration_s: float
    speech_s: float
    segments: int
    language: str | None
    warnings: list[str]
    timings: FileTimings
    turns: list[SpeakerTurn] = field(default_factory=list)


@dataclass(frozen=True)
class FileTranscript:
    """The transcript of a whole file.

    Attributes:
        text: all sentences.
        sentences: in order, with their times and words.
        summary: duration, language, timings.
    """

    text: str
    sentences: list[Sentence]
    summary: FileSummary

    @property
    def words(self) -> list[Word]:
        """All words in order; empty when the model gives no times."""
        return [word for sentence in self.sentences for word in sentence.words]

    @property
    def language(self) -> str | None:
        """The language most spoken; None when the model does not tell."""
        return self.summary.language

    @property
    def duration_s(self) -> float:
        """Length of the file's audio, in seconds."""
        return self.summary.duration_s

    @property
    def timings(self) -> FileTimings:
        """How long it took."""
        return self.summary.timings

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that `json.dumps` takes."""
        sentences = [sentence.to_dict() for sentence in self.sentences]
        return {"text": self.text, **asdict(self.summary), "sentences": sentences}


@dataclass(frozen=True)
class ModelInfo:
    """A model that the server lists as ready."""

    name: str
    version: str
