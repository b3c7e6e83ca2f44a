"""`triton-asr transcribe`: recognises files."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, TextIO

from tqdm import tqdm

from asr_contract import LANGUAGE_IDS, VAD_MODEL

from ..audio.waveform import PCM_FORMATS, AudioInput, Pcm
from ..blocking.client import Client
from ..options import READY_TIMEOUT_S
from ..results import Outcome
from .batch import Batch
from .common import (
    ClientFactory,
    UsageError,
    add_connection_options,
    language_word,
    output_file,
    positive_count,
    vad_option,
)
from .formats import (
    FILE_FORMATS,
    FORMATS,
    OrderedWriter,
    format_line,
    format_sentences,
    sentences_of,
)
from .input_files import InputFile, collect, require_distinct_ids
from .long_files import transcribe_long
from .output_folder import OutputFolder
from .references import read_references


def add_parser(commands: Any) -> None:
    """Add the sub-command to the command line."""
    parser = commands.add_parser(
        "transcribe",
        help="recognise audio and video files",
        description="Recognise audio and video files and print their text in the order given. A "
        "file that fails is reported on stderr and the others go on.",
    )
    parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="audio or video file, a directory of them, or a Kaldi list named *.scp",
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
        type=language_word,
        default="auto",
        metavar="LANGUAGE",
        help=f"{', '.join(LANGUAGE_IDS)}, or a tag or name such as zh-CN or Chinese; for models "
        "that take one (default: %(default)s)",
    )
    parser.add_argument(
        "--itn",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="numbers as figures; SenseVoice: punctuation too (default: yes)",
    )
    parser.add_argument(
        "--hotword",
        metavar="WORDS|FILE",
        help="words to expect, or a text file with one a line, for a Paraformer with hotwords; "
        "a weight may follow each word and has no effect",
    )
    parser.add_argument(
        "--format",
        default="txt",
        choices=FORMATS,
        help="txt, json (an object a line), kaldi ('id text'), subtitles (srt, vtt) or a table of "
        "sentences (tsv) (default: %(default)s)",
    )
    parser.add_argument("--output", metavar="FILE", help="write there instead of to stdout")
    parser.add_argument(
        "--output-dir",
        metavar="DIR",
        help="write a file for each recording there; what is there already is not done again",
    )
    parser.add_argument("--force", action="store_true", help="do it again (with --output-dir)")
    parser.add_argument(
        "--concurrency",
        type=positive_count,
        default=4,
        metavar="N",
        help="files under way at once (default: %(default)s)",
    )
    parser.add_argument(
        "--compute-cer",
        metavar="REF",
        help="print the character error rate against this transcript file (Kaldi 'id text' or "
        "TSV) to stderr",
    )
    long = parser.add_argument_group("long recordings (need the model vad on the server)")
    long.add_argument(
        "--vad",
        action=argparse.BooleanOptionalAction,
        help="find the speech and recognise it piece by piece, or each file as a whole, which "
        "must be short then (default: yes if the server has the model, and the file a header)",
    )
    long.add_argument(
        "--punctuation",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="needs the model punctuation, but for SenseVoice (default: yes)",
    )
    long.add_argument(
        "--vad-option",
        action="append",
        default=[],
        type=vad_option,
        metavar="NAME=VALUE",
        help="such as max_end_silence_time=500; FunASR's names",
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
    sources = collect(options.files, options.wav_scp)
    hotwords = _hotwords(options.hotword)
    references = read_references(options.compute_cer) if options.compute_cer else None
    if options.vad and options.raw_rate is not None:
        raise UsageError("--vad: raw samples are recognised as a whole; give them a header")
    if options.output_dir is not None and options.output is not None:
        raise UsageError("expected --output or --output-dir; got both")
    if options.output_dir is None:
        if options.force:
            raise UsageError("--force: expected --output-dir, too")
        if options.format == "kaldi":
            require_distinct_ids(sources)
        if options.format in FILE_FORMATS and len(sources) > 1:
            raise UsageError(f"--format {options.format}: several files need --output-dir")

    with ExitStack() as stack:
        client = stack.enter_context(client_factory(options.url, options.timeout, options.ca_file))
        # One clear message instead of the same one for every file.
        timeout_s = min(options.timeout, READY_TIMEOUT_S)
        client.check_ready(options.model, timeout_s=timeout_s)
        target: OutputFolder | TextIO
        if options.output_dir is None:
            target = stack.enter_context(output_file(options.output))
        else:
            target = OutputFolder(options.output_dir, options.format, sources)
            if not options.force:
                sources = _left_to_do(sources, target)
        batch = Batch(sources, references, stack.enter_context(_progress(len(sources))))
        vad = options.vad
        if vad is None:
            vad = options.raw_rate is None and client.is_ready(VAD_MODEL, timeout_s=timeout_s)
        if options.vad_option and not vad:
            raise UsageError("--vad-option: needs the model vad on the server, and not --no-vad")
        if vad:
            transcribe_long(client, options, hotwords, batch, target)
        else:
            _transcribe_whole(client, options, hotwords, batch, target)
    return batch.finish()


def _left_to_do(sources: list[InputFile], folder: OutputFolder) -> list[InputFile]:
    """Leave out the recordings whose results are there."""
    left = [source for source in sources if not folder.is_done(source)]
    if len(left) < len(sources):
        done = len(sources) - len(left)
        print(f"{done} of {len(sources)} files are done already", file=sys.stderr)
    return left


def _transcribe_whole(
    client: Client,
    options: argparse.Namespace,
    hotwords: str | None,
    batch: Batch,
    target: OutputFolder | TextIO,
) -> None:
    """Recognise each recording in one request."""
    only = len(batch.sources) == 1
    writer = None if isinstance(target, OutputFolder) else OrderedWriter(target)

    def report(outcome: Outcome) -> None:
        source, transcript = batch.sources[outcome.index], outcome.transcript
        output = None
        if transcript is None:
            batch.failed(outcome.index, outcome.error or ValueError("no result"))
        else:
            alone = only or writer is None
            output = format_line(options.format, source, transcript, only=alone) + "\n"
            if options.format in FILE_FORMATS:
                output = "".join(format_sentences(options.format, sentences_of(transcript)))
            if isinstance(target, OutputFolder):
                target.write(source, [output])
            batch.count(outcome.index, transcript.text)
        if writer is not None:
            writer.put(outcome.index, output)

    client.transcribe_many(
        (_audio(source, options) for source in batch.sources),
        concurrency=options.concurrency,
        on_result=report,
        model=options.model,
        language=options.language,
        itn=options.itn,
        hotwords=hotwords,
    )


def _hotwords(value: str | None) -> str | None:
    """Return the words of --hotword, read from the file where it names one."""
    if value is None or not Path(value).is_file():
        return value
    try:
        return Path(value).read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(f"--hotword {value}: {error}") from error


def _audio(source: InputFile, options: argparse.Namespace) -> AudioInput:
    """Return the recording in the form the client takes."""
    if options.raw_rate is None:
        return source.path
    return Pcm(source.path, options.raw_rate, options.raw_format, options.raw_channels)


@contextmanager
def _progress(total: int) -> Iterator[Any]:
    """Show a progress bar on stderr if that is a terminal and there is more than one file."""
    hidden = total <= 1 or not sys.stderr.isatty()
    with tqdm(total=total, unit="file", file=sys.stderr, disable=hidden, leave=False) as bar:
        yield bar
