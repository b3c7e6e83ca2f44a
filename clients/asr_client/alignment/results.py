"""What alignment returns."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from asr_contract import is_heard


@dataclass(frozen=True)
class AlignedWord:
    """A word of the text, or a character of a script without spaces, and when it is heard.

    Attributes:
        text: as it stands in the text, without marks.
        start_ms, end_ms: its time; for a word that is not heard, where it would be.
        confidence: how well the audio fits it, 0 to 1; 0 where the audio is explained better
            without it, None where that cannot be told: the model's vocabulary cannot write the
            word, or the model only places words.
        start, end: where it stands, text[start:end].
    """

    text: str
    start_ms: int
    end_ms: int
    confidence: float | None
    start: int
    end: int

    @property
    def heard(self) -> bool:
        """Whether the word is in the audio, as far as can be told."""
        return is_heard(self.confidence)


@dataclass(frozen=True)
class AlignedSentence:
    """A sentence, or a line without an end mark.

    Attributes:
        text: as it stands in the text.
        words: its words.
    """

    text: str
    words: list[AlignedWord]

    @property
    def heard(self) -> bool:
        """Whether any of it is in the audio, as far as can be told."""
        known = [word for word in self.words if word.confidence is not None]
        return any(word.heard for word in known or self.words)

    @property
    def start_ms(self) -> int:
        """When the first of its words is heard."""
        return self._heard_words[0].start_ms

    @property
    def end_ms(self) -> int:
        """When the last of its words ends."""
        return self._heard_words[-1].end_ms

    @property
    def _heard_words(self) -> list[AlignedWord]:
        return [word for word in self.words if word.heard and self.heard] or self.words


@dataclass(frozen=True)
class Alignment:
    """A text in time.

    Attributes:
        sentences: those of the text that have a word.
        duration_s: length of the audio, in seconds.
        model: name of the Triton model that the times are from.
        warnings: what is wrong with the audio.
    """

    sentences: list[AlignedSentence]
    duration_s: float
    model: str
    warnings: list[str] = field(default_factory=list)

    @property
    def words(self) -> list[AlignedWord]:
        """All words, in order."""
        return [word for sentence in self.sentences for word in sentence.words]

    def to_dict(self) -> dict[str, Any]:
        """Return the fields as a dictionary that `json.dumps` takes."""
        return {
            "duration_s": self.duration_s,
            "model": self.model,
            "warnings": self.warnings,
            "sentences": [
                {
                    "text": sentence.text,
                    "start_ms": sentence.start_ms,
                    "end_ms": sentence.end_ms,
                    "heard": sentence.heard,
                    "words": [{**asdict(word), "heard": word.heard} for word in sentence.words],
                }
                for sentence in self.sentences
            ],
        }
