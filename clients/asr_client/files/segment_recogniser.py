"""Recognises stretches of speech one by one, as they end."""

from __future__ import annotations

from asr_contract import is_doubtful

from ..confidence import geometric_mean
from ..results import Sentence
from ..transport import Transport
from .options import FileOptions
from .segments import Segment
from .sentences import SentenceMaker, join_texts, recognised_segment
from .served_models import ServedModels


class SegmentRecogniser:
    """Recognises segments with the parts of the file pipeline, each for itself.

    So its text is what the pipeline gives for the same segments; only that a sentence of
    Paraformer's that goes on in the next segment, which the pipeline would join, ends here.
    """

    def __init__(
        self, transport: Transport, url: str, options: FileOptions, timeout_s: float
    ) -> None:
        self._options = options
        self._models = ServedModels(transport, url, options, timeout_s)

    async def open(self) -> None:
        """Look the models up.

        Raises:
            AsrError: one is missing, or the server cannot be reached.
        """
        await self._models.check()

    async def recognise(self, segment: Segment) -> Sentence | None:
        """Return what is said in a segment as one sentence; None if nothing is.

        Raises:
            AsrError: of `asr_client.errors`.
        """
        transcript = await self._models.recognise(segment)
        speech_end_ms = segment.end_ms - self._options.silence_behind_ms
        spoken = recognised_segment(transcript, segment.start_ms, segment.end_ms, speech_end_ms)
        if spoken is None:
            return None
        maker = SentenceMaker(
            self._models.punctuate, self._models.itn_language, self._options.timestamps
        )
        sentences = await maker.accept(spoken) + await maker.finish()
        if not sentences:
            return None
        confidence = geometric_mean([word.confidence for word in spoken.words])
        return Sentence(
            text=join_texts([sentence.text for sentence in sentences]),
            start_ms=segment.start_ms,
            end_ms=segment.end_ms,
            words=[word for sentence in sentences for word in sentence.words],
            language=spoken.language,
            emotion=spoken.emotion,
            event=spoken.event,
            confidence=confidence,
            doubtful=is_doubtful(confidence, spoken.model),
        )
