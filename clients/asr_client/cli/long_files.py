"""Transcribes files of any length, several at a time, through the pipeline."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from typing import Any, TextIO

from tqdm import tqdm

from ..blocking.client import Client
from ..blocking.transcription import FileTranscription
from ..errors import ClientClosed, ModelNotFound, OptionError
from ..files.sentences import whole_transcript
from ..results import Sentence
from .batch import Batch
from .common import UsageError
from .formats import FILE_FORMATS, OrderedWriter, format_line, format_sentences
from .input_files import InputFile
from .output_folder import OutputFolder

# What is wrong for every file, and told once.
_FOR_ALL = (ModelNotFound, OptionError, UsageError, BrokenPipeError)


def transcribe_long(
    client: Client,
    options: argparse.Namespace,
    hotwords: str | None,
    batch: Batch,
    target: OutputFolder | TextIO,
) -> None:
    """Transcribe the recordings of a batch.

    One alone is written to a stream sentence by sentence as it is recognised, several when each
    is complete, in order.

    Raises:
        ModelNotFound: the server lacks a model.
        OptionError, UsageError: an option makes no sense, or the output cannot be written.
        BrokenPipeError: nobody reads the output any more.
    """
    sources = batch.sources
    alone = len(sources) == 1
    writer = None if isinstance(target, OutputFolder) else OrderedWriter(target)

    def transcribe(index: int) -> None:
        source, text = sources[index], ""
        try:
            with client.stream_file(
                source.path,
                model=options.model,
                language=options.language,
                itn=options.itn,
                punctuation=options.punctuation,
                hotwords=hotwords,
                vad_options=dict(options.vad_option),
            ) as file:
                result = _Result(options.format, source, file, progress=alone)
                if isinstance(target, OutputFolder):
                    target.write(source, result.parts(alone=True))
                elif alone:
                    _write_live(target, result.parts(alone=True))
                elif writer is not None:
                    text = "".join(result.parts(alone=False))
                for warning in file.summary.warnings:
                    tqdm.write(f"{source.path}: warning: {warning}", file=sys.stderr)
        except _FOR_ALL:
            raise
        except ClientClosed:  # the run was interrupted
            return
        except Exception as error:
            batch.failed(index, error)
        else:
            batch.count(index, result.text)
        finished.append((index, text or None))

    finished: list[tuple[int, str | None]] = []

    def write() -> None:
        while finished and writer is not None:
            writer.put(*finished.pop(0))

    _run_all(transcribe, range(len(sources)), options.concurrency, write)


class _Result:
    """A file's sentences on their way to the output, watched.

    Attributes:
        text: of the sentences so far.
    """

    def __init__(
        self, style: str, source: InputFile, file: FileTranscription, *, progress: bool
    ) -> None:
        self._style = style
        self._source = source
        self._file = file
        self._show = progress and sys.stderr.isatty()
        self.text = ""

    def parts(self, *, alone: bool) -> Iterator[str]:
        """Yield what is to be written, as it is known."""
        sentences = self._watched()
        if self._style in FILE_FORMATS or (self._style == "txt" and alone):
            yield from format_sentences(self._style, sentences)
            return
        transcript = whole_transcript(list(sentences), self._file.summary)
        yield format_line(self._style, self._source, transcript, only=alone) + "\n"

    def _watched(self) -> Iterator[Sentence]:
        """Yield the sentences, and move the bar with them."""
        texts: list[str] = []
        total_s = self._file.duration_s
        bar_format = "{percentage:3.0f}% |{bar}| {n:.0f}/{total:.0f} s [{elapsed}<{remaining}]"
        with tqdm(
            total=total_s,
            file=sys.stderr,
            disable=not self._show,
            leave=False,
            bar_format=bar_format if total_s else None,
        ) as bar:
            for sentence in self._file:
                texts.append(sentence.text)
                yield sentence
                bar.update(max(self._file.recognised_s - bar.n, 0))
        self.text = " ".join(texts)


def _write_live(stream: TextIO, parts: Iterator[str]) -> None:
    """Write parts as they come, above the bar where both are on a terminal."""
    for part in parts:
        if stream.isatty():
            tqdm.write(part, file=stream, end="")
        else:
            stream.write(part)
        stream.flush()


def _run_all(
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
