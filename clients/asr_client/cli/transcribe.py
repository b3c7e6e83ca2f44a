"""`triton-asr transcribe`: recognises files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

from tqdm import tqdm

from ..options import READY_TIMEOUT_S
from ..storage import temporary_folder
from .batch import Batch
from .common import ClientFactory, UsageError, files_read
from .downloads import local_path
from .formats import FILE_FORMATS
from .input_files import InputFile, collect, require_distinct_ids, save_stdin
from .output import Output, open_output
from .output_folder import OutputFolder
from .recognition import Recognition, Transcription
from .recovery import Recovery, ServerStayedAway
from .references import read_references
from .transcribe_options import add_transcribe_options
from .transcriptions import Transcriptions


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command does, and add its options."""
    parser.description = (
        "Recognise audio and video files and print their text in the order given. A "
        "file that fails is reported on stderr and the others go on."
    )
    add_transcribe_options(parser)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Recognise what the options name and return the exit code."""
    _check(options)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        sources = collect(
            options.files,
            options.wav_scp,
            lambda: save_stdin(folder),
            allow_urls=options.allow_urls,
        )
        recognition = Recognition.of(options)
        references = read_references(options.compute_cer) if options.compute_cer else None
        read = [*files_read(options), *(source.path for source in sources)]
        if recognition.known_speakers is not None:
            read += recognition.known_speakers.paths
        target: OutputFolder | Output
        if options.output_dir is None:
            _check_together(options.format, sources)
            target = stack.enter_context(open_output(options.output, read))
        else:
            target = OutputFolder(options.output_dir, options.format, sources, read)
            if not options.force:
                sources = _left_to_do(sources, target)

        client = stack.enter_context(client_factory(options.url, options.timeout, options.ca_file))
        timeout_s = min(options.timeout, READY_TIMEOUT_S)
        recognition = recognition.for_server(client, timeout_s)
        batch = Batch(sources, references, stack.enter_context(_progress(len(sources))))

        @contextmanager
        def transcribe(source: InputFile) -> Iterator[Transcription]:
            with (
                local_path(source, folder) as path,
                recognition.begin(client, path) as transcription,
            ):
                yield transcription

        recovery = Recovery(client, options.model, options.server_wait, "transcribe")
        transcriptions = Transcriptions(
            batch, target, options.format, options.model, transcribe, recovery
        )
        try:
            transcriptions.run(options.concurrency)
        except ServerStayedAway as error:
            raise ServerStayedAway(f"{error}; {_how_to_resume(batch, options)}") from error
        finally:
            if batch.succeeded and isinstance(target, Output):
                target.keep()
    return batch.finish()


def _check_together(style: str, sources: Sequence[InputFile]) -> None:
    """Refuse recordings whose results cannot be told apart in one output.

    Raises:
        UsageError: the format is of one recording, or two have the same id.
    """
    if style == "kaldi":
        require_distinct_ids(sources)
    if style in FILE_FORMATS and len(sources) > 1:
        raise UsageError(f"--format {style}: several files need --output-dir")


def _check(options: argparse.Namespace) -> None:
    """Refuse options that make no sense together, and choose what depends on others.

    Raises:
        UsageError: they do not.
    """
    if options.output_dir is not None and options.output is not None:
        raise UsageError("expected --output or --output-dir; got both")
    if options.output_dir is None and options.force:
        raise UsageError("--force: expected --output-dir, too")
    asked = (options.speakers, options.known_speakers)
    if options.format == "rttm" and asked == (None, None):
        raise UsageError("--format rttm: expected --speakers, too")
    if options.itn is None:
        options.itn = options.compute_cer is None
        if options.compute_cer is not None:
            print(
                "--compute-cer: numbers are left as spoken, as references have them; for a "
                "reference with figures give --itn",
                file=sys.stderr,
            )


def _left_to_do(sources: list[InputFile], folder: OutputFolder) -> list[InputFile]:
    """Leave out the recordings whose results are there."""
    left = [source for source in sources if not folder.is_done(source)]
    if len(left) < len(sources):
        done = len(sources) - len(left)
        print(f"{done} of {len(sources)} files are done already", file=sys.stderr)
    return left


def _how_to_resume(batch: Batch, options: argparse.Namespace) -> str:
    """Return what became of a batch whose server was lost, and what to do."""
    left = f"{batch.left} of {len(batch.sources)} files are left"
    if options.output_dir is None:
        return f"{left}; with --output-dir the same command would go on with them"
    return f"{left}; the same command goes on with them"


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show a progress bar on stderr if that is a terminal and there is more than one file."""
    hidden = total <= 1 or not sys.stderr.isatty()
    with tqdm(total=total, unit="file", file=sys.stderr, disable=hidden, leave=False) as bar:
        yield bar
