"""The transcription of one file, for callers that wait."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ..aio.transcription import AsyncFileTranscription
from ..errors import ClientClosed
from ..results import FileSummary, FileTranscript, Sentence
from .background import Background


class FileTranscription:
    """The sentences of one file as they are recognised, in order.

        with client.stream_file("talk.mp4") as file:
            for sentence in file:
                print(sentence.start_ms, sentence.text)
        print(file.summary.duration_s)

    `Client.stream_file` makes it, `with` starts it and always ends it: leaving early in any way
    stops ffmpeg, ends the VAD's sequence on the server and gives up what is under way; so does
    dropping it. It works ahead of the reader by a few segments and then waits, so memory does not
    depend on the file's length.

    Nothing is lost silently: when a part of the file cannot be recognised, the sentences before
    it are given and then the error, with the time of that part.
    """

    def __init__(self, background: Background, inner: AsyncFileTranscription) -> None:
        self._background = background
        self._inner = inner
        background.when_dropped(self, inner.close)

    def __enter__(self) -> FileTranscription:
        self.open()
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    @property
    def duration_s(self) -> float | None:
        """What the file says its duration is, in seconds; for a progress bar only."""
        return self._inner.duration_s

    @property
    def recognised_s(self) -> float:
        """How far recognition has come in the file, in seconds."""
        return self._inner.recognised_s

    @property
    def summary(self) -> FileSummary:
        """What is known when all sentences were read.

        Raises:
            ClientClosed: they were not.
        """
        return self._inner.summary

    def open(self) -> None:
        """Start; `with` does it. Returns when the first audio was decoded.

        Raises:
            AudioError: the file cannot be read, or holds no audio.
            ModelNotFound: the server lacks a model; the message says how to install it.
            SessionLimitReached: the VAD has as many sequences open as it allows.
            AsrError: the others of `errors`.
        """
        self._background.call(self._inner.open)

    def __iter__(self) -> Iterator[Sentence]:
        return self

    def __next__(self) -> Sentence:
        """Wait for the next sentence.

        Raises:
            AsrError: the file could not be read or recognised from a point on.
            ClientClosed: it was closed meanwhile.
        """
        sentence = self._background.call(lambda: _next(self._inner))
        if sentence is None:
            raise StopIteration
        return sentence

    def result(self) -> FileTranscript:
        """Return the whole, with the sentences that were not read yet."""
        return self._background.call(self._inner.result)

    def close(self) -> None:
        """Leave the transcription; what is under way is given up. It raises nothing."""
        with suppress(ClientClosed):  # the client has ended it then
            self._background.call(self._inner.close)


async def _next(sentences: AsyncFileTranscription) -> Sentence | None:
    """Await the next sentence; None after the last."""
    return await anext(sentences, None)
