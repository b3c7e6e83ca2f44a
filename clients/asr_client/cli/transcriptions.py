"""Transcribes the recordings of a batch, several at a time, and writes what comes of each."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing

from tqdm import tqdm

from ..errors import ClientClosed
from ..files.sentences import whole_transcript
from ..results import Sentence
from .batch import Batch
from .crew import Threads, run_all
from .formats import FILE_FORMATS, OrderedWriter, format_line, format_sentences
from .input_files import InputFile
from .output import Output
from .output_folder import OutputFolder
from .recognition import Transcription
from .recovery import FOR_ALL, Recovery


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

    def run(self, concurrency: int) -> None:
        """Transcribe all, so many at a time.

        Raises:
            ModelNotFound: the server lacks a model.
            OptionError, UsageError: an option makes no sense.
            OutputError: the output cannot be written.
            ServerStayedAway: the server was lost and did not come back.
            BrokenPipeError: nobody reads the output any more.
        """
        indices = iter(range(len(self._batch.sources)))
        with closing(Threads(self._transcribe, concurrency)) as threads:
            run_all(threads, lambda: next(indices, None), self._write)

    def _write(self, settled: tuple[int, str | None] | None) -> None:
        """Write what was completed."""
        if settled is not None and self._writer is not None:
            self._writer.put(*settled)

    def _transcribe(self, index: int) -> tuple[int, str | None] | None:
        """Transcribe a recording, again if the server was lost meanwhile, and count it.

        Returns:
            Its index and what is to be written of it; None if it was interrupted.
        """
        source = self._batch.sources[index]
        result = _Result(self._style, self._model, source, progress=self._alone)
        output: str | None = None
        try:
            output = self._recovery.attempts(lambda: self._attempt(source, result))
        except FOR_ALL:
            raise
        except ClientClosed:  # the run was interrupted
            return None
        except Exception as error:
            self._batch.failed(index, error)
        else:
            self._batch.count(index, result.text)
        return index, output

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
        if line or self._style != "rttm":  # a recording without speech has no turns
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
