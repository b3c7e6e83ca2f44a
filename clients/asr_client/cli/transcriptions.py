"""Transcribes the recordings of a batch, several at a time, and writes what comes of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextlib import AbstractContextManager
from itertools import count
from typing import Any, Protocol

from tqdm import tqdm

from ..errors import AsrError, ClientClosed, ModelNotFound, OptionError
from ..files.sentences import whole_transcript
from ..results import FileSummary, Sentence
from .batch import Batch
from .common import UsageError
from .formats import FILE_FORMATS, OrderedWriter, format_line, format_sentences
from .input_files import InputFile
from .output import Output, OutputError
from .output_folder import OutputFolder
from .recovery import Recovery, ServerStayedAway

# What is wrong for every recording, and told once.
_FOR_ALL = (
    *(ModelNotFound, OptionError, UsageError, OutputError),
    *(ServerStayedAway, BrokenPipeError),
)

# A recording at which the server was lost so often is not tried again: it may be the reason.
ATTEMPTS = 3


class Transcription(Protocol):
    """The sentences of a recording as they come; `FileTranscription` says what its parts are."""

    @property
    def duration_s(self) -> float | None:
        """What the recording says its duration is."""

    @property
    def recognised_s(self) -> float:
        """How far recognition has come."""

    @property
    def summary(self) -> FileSummary:
        """What is known at the end."""

    def __iter__(self) -> Iterator[Sentence]: ...


class Transcriptions:
    """Transcribes each recording and writes it into `target`.

    One alone is written to a stream sentence by sentence as it is recognised, several when each
    is complete, in order.

    Args:
        batch: the recordings, and what is counted of them.
        target: a folder for a file each, or one output for all.
        style: the format.
        model: that the results name.
        transcribe: begins to transcribe a recording.
        recovery: waits for a server that is gone.
    """

    def __init__(
        self,
        batch: Batch,
        target: OutputFolder | Output,
        style: str,
        model: str,
        transcribe: Callable[[InputFile], AbstractContextManager[Transcription]],
        recovery: Recovery,
    ) -> None:
        self._batch = batch
        self._target = target
        self._style = style
        self._model = model
        self._begin = transcribe
        self._recovery = recovery
        self._alone = len(batch.sources) == 1
        self._writer = None if isinstance(target, OutputFolder) else OrderedWriter(target)
        self._finished: list[tuple[int, str | None]] = []

    def run(self, concurrency: int) -> None:
        """Transcribe all, so many at a time.

        Raises:
            ModelNotFound: the server lacks a model.
            OptionError, UsageError: an option makes no sense.
            OutputError: the output cannot be written.
            ServerStayedAway: the server was lost and did not come back.
            BrokenPipeError: nobody reads the output any more.
        """
        run_all(self._transcribe, range(len(self._batch.sources)), concurrency, self._write)

    def _write(self) -> None:
        """Write what was completed."""
        while self._finished and self._writer is not None:
            self._writer.put(*self._finished.pop(0))

    def _transcribe(self, index: int) -> None:
        """Transcribe a recording, again if the server was lost meanwhile, and settle it."""
        source = self._batch.sources[index]
        result = _Result(self._style, self._model, source, progress=self._alone)
        output: str | None = None
        try:
            for attempt in count(1):
                try:
                    output = self._attempt(source, result)
                    break
                except AsrError as error:
                    if attempt == ATTEMPTS or not self._recovery.may_pass(error):
                        raise
                    self._recovery.wait(error)
        except _FOR_ALL:
            raise
        except ClientClosed:  # the run was interrupted
            return
        except Exception as error:
            self._batch.failed(index, error)
        else:
            self._batch.count(index, result.text)
        self._finished.append((index, output))

    def _attempt(self, source: InputFile, result: _Result) -> str | None:
        """Write a recording's result, or return it where others may have to be written before."""
        output = None
        with self._begin(source) as transcription:
            if isinstance(self._target, OutputFolder):
                self._target.write(source, result.parts(transcription, alone=True))
            elif self._alone:
                result.write_live(transcription, self._target)
            else:
                output = "".join(result.parts(transcription, alone=False))
            for warning in transcription.summary.warnings:
                tqdm.write(f"{source.shown}: warning: {warning}", file=sys.stderr)
        return output


class _Result:
    """A recording's sentences on their way to the output, watched.

    Attributes:
        text: of the sentences so far.
    """

    def __init__(self, style: str, model: str, source: InputFile, *, progress: bool) -> None:
        self._style = style
        self._model = model
        self._source = source
        self._show = progress and sys.stderr.isatty()
        self._written = 0
        self.text = ""

    def write_live(self, transcription: Transcription, output: Output) -> None:
        """Write the parts as they come, above the bar where both are on a terminal.

        What was written before the server was lost is not written again: the same sentences
        come of the same file.
        """
        for number, part in enumerate(self.parts(transcription, alone=True)):
            if number < self._written:
                continue
            if output.terminal is not None:
                tqdm.write(part, file=output.terminal, end="")
            else:
                output.write(part)
            self._written += 1

    def parts(self, transcription: Transcription, *, alone: bool) -> Iterator[str]:
        """Yield what is to be written, as it is known."""
        sentences = self._watched(transcription)
        if self._style in FILE_FORMATS or (self._style == "txt" and alone):
            yield from format_sentences(self._style, sentences)
            return
        transcript = whole_transcript(list(sentences), transcription.summary)
        line = format_line(self._style, self._source, self._model, transcript, only=alone)
        yield line + "\n"

    def _watched(self, transcription: Transcription) -> Iterator[Sentence]:
        """Yield the sentences, and move the bar with them."""
        texts: list[str] = []
        total_s = transcription.duration_s
        bar_format = "{percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
        with tqdm(
            total=total_s,
            file=sys.stderr,
            disable=not self._show,
            leave=False,
            bar_format=bar_format if total_s else None,
        ) as bar:
            for sentence in transcription:
                texts.append(sentence.text)
                yield sentence
                bar.update(max(transcription.recognised_s - bar.n, 0))
        self.text = " ".join(texts)


def run_all(
    work: Callable[[int], None], items: Sequence[int], concurrency: int, after: Callable[[], None]
) -> None:
    """Do the work for each item, some at a time; `after` each, in this thread.

    Raises:
        Exception: the first that `work` or `after` raises; nothing more is begun then.
    """
    waiting = iter(items)
    running: set[Future[Any]] = set()
    pool = ThreadPoolExecutor(concurrency, thread_name_prefix="triton-asr-file")
    try:
        while True:
            while len(running) < concurrency and (item := next(waiting, None)) is not None:
                running.add(pool.submit(work, item))
            if not running:
                return
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                future.result()
                after()
    finally:
        # After Ctrl-C nobody waits for what is under way; closing the client ends it.
        pool.shutdown(wait=False, cancel_futures=True)
