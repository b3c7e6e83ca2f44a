"""What is known of live speech that is recognised stretch by stretch, without any input or output.

It has the attributes of `StreamTranscript`, so that `UpdateReader` reads it, too: the final text is
that of the stretches that have ended; what is spoken, or not recognised as a whole yet, may change.
"""

from __future__ import annotations

from collections import Counter

from asr_contract import SAMPLE_RATE

from ..results import Sentence, Transcript
from ..streaming.protocol import ShownText
from .sentences import join_texts


class StretchTranscript(ShownText):
    """Stretches of speech in order: each is shown while it is spoken, and final when it has ended.

    Attributes:
        sentences: of the stretches that are final.
        acknowledged_samples: audio that was heard, at 16 kHz.
        is_final: nothing follows.
    """

    def __init__(self, model: str) -> None:
        super().__init__()
        self._model = model
        self._open: dict[int, str] = {}  # number of a stretch → what is shown of it
        self.sentences: list[Sentence] = []
        self.acknowledged_samples = 0
        self.is_final = False

    @property
    def tokens(self) -> list[str]:
        """The words or characters of the final text."""
        return [word.text for sentence in self.sentences for word in sentence.words]

    @property
    def timestamps_ms(self) -> list[tuple[int, int]]:
        """(start, end) of each of them."""
        return [
            (word.start_ms, word.end_ms) for sentence in self.sentences for word in sentence.words
        ]

    @property
    def confidence(self) -> list[float] | None:
        """Of each of them; None when the model gives none."""
        values = [word.confidence for sentence in self.sentences for word in sentence.words]
        known = [value for value in values if value is not None]
        return known if len(known) == len(values) else None

    def show(self, index: int, text: str) -> None:
        """Take in what is known of a stretch that is spoken."""
        self._open[index] = text
        self._join()

    def settle(self, index: int, sentence: Sentence | None) -> None:
        """Take in what a stretch that has ended says; stretches are settled in order."""
        self._open.pop(index, None)
        if sentence is not None:
            self.sentences.append(sentence)
        self._join()

    def result(self, warnings: list[str]) -> Transcript:
        """Return the transcript of the audio heard."""
        languages = Counter(each.language for each in self.sentences if each.language)
        return Transcript(
            text=self.final_text,
            model=self._model,
            duration_s=self.acknowledged_samples / SAMPLE_RATE,
            tokens=self.tokens,
            timestamps_ms=self.timestamps_ms,
            confidence=self.confidence,
            language=languages.most_common(1)[0][0] if languages else None,
            raw_text=self.final_text,
            warnings=warnings,
        )

    def _join(self) -> None:
        final_text = join_texts([sentence.text for sentence in self.sentences])
        self._texts = (join_texts([final_text, *self._open.values()]), final_text)
