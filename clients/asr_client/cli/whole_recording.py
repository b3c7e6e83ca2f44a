"""A recording that is recognised in one request, in the form of a file's transcription."""

from __future__ import annotations

import time
from collections.abc import Iterator

from ..files.sentences import recognised_segment, split_sentences, timed_sentences
from ..results import FileSummary, FileTimings, Sentence, Transcript


class WholeRecording:
    """The sentences of a transcript, as `FileTranscription` gives those of a long file.

    Args:
        transcript: of the whole recording.
        started_s: when its recognition began, by `time.monotonic`.
        start_ms: where it lies in a longer one, to which the times of the sentences belong.
    """

    duration_s = None  # nothing to show progress of: all is there

    def __init__(self, transcript: Transcript, started_s: float, start_ms: int = 0) -> None:
        self.recognised_s = transcript.duration_s
        spoken = recognised_segment(
            transcript, start_ms, start_ms + round(transcript.duration_s * 1000)
        )
        texts = [] if spoken is None else split_sentences(spoken.text)
        self._sentences = [] if spoken is None else timed_sentences(spoken, texts)
        took_s = time.monotonic() - started_s
        self.summary = FileSummary(
            duration_s=transcript.duration_s,
            speech_s=transcript.duration_s,
            segments=1,
            language=transcript.language,
            warnings=transcript.warnings,
            timings=FileTimings(
                total_s=took_s,
                first_sentence_s=took_s if self._sentences else None,
                detection_s=0.0,
                recognition_s=took_s,
                punctuation_s=0.0,
            ),
        )

    def __iter__(self) -> Iterator[Sentence]:
        return iter(self._sentences)
