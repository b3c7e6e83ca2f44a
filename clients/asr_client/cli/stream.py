"""`triton-asr stream`: recognises files as if they were live."""

from __future__ import annotations

import argparse
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from asr_contract import SAMPLE_RATE

from ..audio.loading import load_recording
from ..audio.samples import PcmFormat
from ..audio.waveform import Pcm, Waveform
from ..blocking.client import Client
from ..blocking.session import StreamSession
from ..errors import AsrError, AudioError, SessionLost
from ..options import READY_TIMEOUT_S
from ..results import StreamUpdate, Transcript
from ..storage import temporary_folder
from .addresses import require_leave
from .arguments import (
    add_connection_options,
    add_streaming_options,
    add_url_option,
    names_files,
    positive_count,
)
from .common import PASSING, ClientFactory, exit_code_of, files_read, read_hotwords
from .downloads import local_path
from .ending import stopped_by_ctrl_c
from .input_files import STDIN, recording, save_stdin
from .live_output import LiveLine, LiveOutput
from .names import printable
from .output import open_output
from .raw_samples import add_raw_options, frames_as_they_come, sample_format


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command does, and add its options."""
    parser.description = (
        "Send audio files piece by piece, one file after the other, and show the text "
        "as it grows (on a terminal, or with --format json). A file that fails is reported on "
        "stderr and the others go on."
    )
    files = parser.add_argument(
        "files",
        nargs="+",
        metavar="FILE",
        help="audio file, or - for standard input, which with --raw-rate is recognised as it "
        "arrives, until it ends or Ctrl-C",
    )
    names_files(files)
    add_url_option(parser)
    add_connection_options(parser)
    add_streaming_options(parser)
    parser.add_argument(
        "--chunk-ms",
        type=positive_count,
        default=600,
        metavar="MS",
        help="length of the pieces that are sent (default: %(default)s)",
    )
    parser.add_argument(
        "--simulate",
        action="store_true",
        help="send in real time instead of as fast as possible",
    )
    add_raw_options(parser)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Recognise what the options name and return the exit code."""
    failures: list[Exception] = []
    raw = sample_format(options)
    hotwords = read_hotwords(options.hotword)
    live = raw is not None and STDIN in options.files
    require_leave(options.files, allow_urls=options.allow_urls)
    with (
        temporary_folder() as folder,
        client_factory(options.url, options.timeout, options.ca_file) as client,
    ):
        # One clear message instead of the same one for every file.
        client.check_ready(options.model, timeout_s=min(options.timeout, READY_TIMEOUT_S))
        with open_output(options.output, files_read(options)) as out:
            output = LiveOutput(options.format, out, labelled=len(options.files) > 1)
            line = LiveLine(sys.stderr)
            for path in options.files:
                try:
                    with stopped_by_ctrl_c() if live else nullcontext():
                        pieces = _pieces(path, folder, raw, options)
                        transcript = _stream(client, pieces, path, options, hotwords, output, line)
                except (AudioError, SessionLost, *PASSING) as error:
                    failures.append(error)
                    _report_failure(path, error, output)
                else:
                    output.result(path, transcript)
                    for warning in transcript.warnings:
                        print(f"{printable(path)}: warning: {warning}", file=sys.stderr)
    if failures and len(options.files) > 1:
        print(f"{len(failures)} of {len(options.files)} files failed", file=sys.stderr)
    return exit_code_of(failures)


def _report_failure(path: str, error: Exception, output: LiveOutput) -> None:
    """Say what a file failed with, and write the text that there is all the same."""
    message = str(error).removeprefix(f"{path}: ")
    print(f"{printable(path)}: {message}", file=sys.stderr)
    if isinstance(error, SessionLost) and error.text:
        output.text(path, error.text)


@dataclass(frozen=True)
class Pieces:
    """What is sent of a file, piece by piece.

    Attributes:
        chunks: [samples] or [samples, channels], as they can be read.
        sample_rate: of them, in Hz.
        warnings: of the file.
    """

    chunks: Iterator[NDArray[np.float32]]
    sample_rate: int
    warnings: Sequence[str] = ()


def _pieces(path: str, folder: str, raw: PcmFormat | None, options: argparse.Namespace) -> Pieces:
    """Open a file, or samples that come on standard input; `folder` is for what must be stored."""
    if raw is not None and path == STDIN:
        return Pieces(frames_as_they_come(sys.stdin.buffer, raw, options.chunk_ms), raw.sample_rate)
    with local_path(recording(path, lambda: save_stdin(folder)), folder) as local:
        loaded = load_recording(
            local if raw is None else Pcm(local, raw.sample_rate, raw.sample_format, raw.channels)
        )
    return Pieces(cut(loaded.waveform, options.chunk_ms), SAMPLE_RATE, loaded.warnings)


def _stream(
    client: Client,
    pieces: Pieces,
    path: str,
    options: argparse.Namespace,
    hotwords: str | None,
    output: LiveOutput,
    line: LiveLine,
) -> Transcript:
    """Send one file in a session of its own."""

    def show(update: StreamUpdate) -> None:
        output.update(path, update)
        line.draw(update.text)

    session = client.stream(
        model=options.model,
        chunk_size=options.chunk_size,
        language=options.language,
        hotwords=hotwords,
    )
    watcher = watch(session, show)
    try:
        with session:
            start = time.monotonic()
            for number, chunk in enumerate(pieces.chunks, 1):
                if options.simulate:
                    # A live source has a chunk only when its last sample was heard.
                    due = start + number * options.chunk_ms / 1000
                    time.sleep(max(due - time.monotonic(), 0))
                session.send(chunk, sample_rate=pieces.sample_rate)
            transcript = session.finish()
            return replace(transcript, warnings=[*pieces.warnings, *transcript.warnings])
    finally:
        watcher.join()
        line.clear()


def cut(waveform: Waveform, chunk_ms: int) -> Iterator[Waveform]:
    """Yield a waveform at 16 kHz in pieces of `chunk_ms`; the last may be shorter."""
    step = chunk_ms * SAMPLE_RATE // 1000
    for first in range(0, len(waveform), step):
        yield waveform[first : first + step]


def watch(session: StreamSession, show: Callable[[StreamUpdate], None]) -> threading.Thread:
    """Show the updates of a session on a thread that ends with the session."""

    def body() -> None:
        # What fails here fails for the sender, too, and is reported there.
        with suppress(AsrError, OSError):
            for update in session.updates():
                show(update)

    thread = threading.Thread(target=body, name="triton-asr-updates", daemon=True)
    thread.start()
    return thread
