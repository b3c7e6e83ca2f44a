"""`triton-asr transcribe`: recognises files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tqdm import tqdm

from ..audio import PCM_FORMATS, AudioInput, Pcm
from ..cer import ErrorCount
from ..languages import LANGUAGE_IDS
from ..options import READY_TIMEOUT_S
from ..results import Outcome
from .common import (
    EXIT_FAILED,
    EXIT_OK,
    ClientFactory,
    UsageError,
    add_connection_options,
    output_file,
    positive_count,
)
from .formats import FORMATS, OrderedWriter, format_line
from .references import Score, read_references, reference_for
from .utterances import Utterance, collect, require_distinct_ids


def add_parser(commands: Any) -> None:
    """Add the sub-command to the command line."""
    parser = commands.add_parser(
        "transcribe",
        help="recognise audio files",
        description="Recognise audio files and print their text in the order given. A file that "
        "fails is reported on stderr and the others go on.",
    )
    parser.add_argument(
        "files", nargs="*", metavar="FILE", help="audio file, or a Kaldi list named *.scp"
    )
    parser.add_argument(
        "--wav-scp",
        action="append",
        default=[],
        metavar="SCP",
        help="Kaldi list: 'id path' a line (shell pipes are refused)",
    )
    add_connection_options(parser)
    parser.add_argument(
        "--model",
        default="sensevoice",
        help="sensevoice, paraformer or the name of a Triton model (default: %(default)s)",
    )
    parser.add_argument(
        "--language",
        default="auto",
        choices=list(LANGUAGE_IDS),
        help="for models that take one (default: %(default)s)",
    )
    parser.add_argument(
        "--itn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="numbers, dates and punctuation ready to read, for models that can (default: yes)",
    )
    parser.add_argument(
        "--hotword",
        metavar="WORDS|FILE",
        help="words to expect, or a text file with one a line, for a Paraformer with hotwords; "
        "a weight may follow each word and has no effect",
    )
    parser.add_argument(
        "--format",
        default="text",
        choices=FORMATS,
        help="text, json (an object a line) or kaldi ('id text') (default: %(default)s)",
    )
    parser.add_argument("--output", metavar="FILE", help="write there instead of to stdout")
    parser.add_argument(
        "--concurrency",
        type=positive_count,
        default=4,
        metavar="N",
        help="requests under way at once (default: %(default)s)",
    )
    parser.add_argument(
        "--compute-cer",
        metavar="REF",
        help="print the character error rate against this transcript file (Kaldi 'id text' or "
        "TSV) to stderr",
    )
    raw = parser.add_argument_group("raw samples (files without a header)")
    raw.add_argument(
        "--raw-rate", type=positive_count, metavar="HZ", help="files are raw, at this rate"
    )
    raw.add_argument("--raw-format", choices=PCM_FORMATS, default="s16le", metavar="FORMAT")
    raw.add_argument("--raw-channels", type=positive_count, default=1, metavar="N")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Recognise what the options name and return the exit code."""
    utterances = collect(options.files, options.wav_scp)
    hotwords = _hotwords(options.hotword)
    references = read_references(options.compute_cer) if options.compute_cer else None
    if options.format == "kaldi":
        require_distinct_ids(utterances)
    score = Score(ErrorCount())
    failures = 0

    with client_factory(options.url, options.timeout, options.ca_file) as client:
        # One clear message instead of the same one for every file.
        client.check_ready(options.model, timeout_s=min(options.timeout, READY_TIMEOUT_S))
        with output_file(options.output) as stream, _progress(len(utterances)) as progress:
            writer = OrderedWriter(stream)

            def report(outcome: Outcome) -> None:
                nonlocal failures
                utterance, transcript = utterances[outcome.index], outcome.transcript
                line = None
                if transcript is None:
                    failures += 1
                    # Errors of the audio begin with the path, those of the server do not.
                    message = str(outcome.error).removeprefix(f"{utterance.path}: ")
                    tqdm.write(f"{utterance.path}: {message}", file=sys.stderr)
                else:
                    line = format_line(
                        options.format, utterance, transcript, only=len(utterances) == 1
                    )
                if references is not None:
                    text = None if transcript is None else transcript.text
                    score.add(reference_for(references, utterance), text)
                writer.put(outcome.index, line)
                progress.update()

            client.transcribe_many(
                (_audio(utterance, options) for utterance in utterances),
                concurrency=options.concurrency,
                on_result=report,
                model=options.model,
                language=options.language,
                itn=options.itn,
                hotwords=hotwords,
            )
    if references is not None:
        print(score.summary(), file=sys.stderr)
    if failures and len(utterances) > 1:
        print(f"{failures} of {len(utterances)} files failed", file=sys.stderr)
    return EXIT_FAILED if failures else EXIT_OK


def _hotwords(value: str | None) -> str | None:
    """Return the words of --hotword, read from the file where it names one."""
    if value is None or not Path(value).is_file():
        return value
    try:
        return Path(value).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--hotword {value}: {error}") from error


def _audio(utterance: Utterance, options: argparse.Namespace) -> AudioInput:
    """Return the recording in the form the client takes."""
    if options.raw_rate is None:
        return utterance.path
    return Pcm(utterance.path, options.raw_rate, options.raw_format, options.raw_channels)


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show a progress bar on stderr if that is a terminal and there is more than one file."""
    hidden = total == 1 or not sys.stderr.isatty()
    with tqdm(total=total, unit="file", file=sys.stderr, disable=hidden, leave=False) as bar:
        yield bar
