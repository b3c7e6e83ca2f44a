"""`triton-asr align`: says when each word of a text is heard in a recording."""

from __future__ import annotations

import argparse
import sys
from contextlib import ExitStack

from asr_contract import read_text

from ..alignment import ALIGNMENT_FORMATS, ALIGNMENT_MODELS, format_alignment
from ..errors import AudioError
from ..storage import temporary_folder
from .addresses import require_leave
from .arguments import (
    add_connection_options,
    add_url_option,
    channels_word,
    language_word,
    names_files,
)
from .common import EXIT_FAILED, EXIT_OK, ClientFactory, UsageError, files_read
from .downloads import local_path
from .input_files import recording, save_stdin
from .output import open_output


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command does, and add its options."""
    parser.description = (
        "Align a text with a recording of any length: find when each word is spoken, with a "
        "confidence. Words that are not in the recording have a low confidence. "
        "The server needs SenseVoice, or fa-zh for Chinese."
    )
    audio = parser.add_argument(
        "audio", metavar="FILE", help="audio or video file, or - for standard input"
    )
    text = parser.add_argument(
        "text", metavar="TEXT", help="text file of what is said, one or more sentences per line"
    )
    add_url_option(parser)
    add_connection_options(parser)
    parser.add_argument(
        "--language",
        type=language_word,
        default="auto",
        metavar="LANGUAGE",
        help="zh, en, yue, ja, ko, or a tag or name such as zh-CN or Chinese (default: "
        "%(default)s)",
    )
    parser.add_argument(
        "--model",
        default="auto",
        choices=ALIGNMENT_MODELS,
        help="sensevoice; fa-zh (FunASR's, for Mandarin with some English; assumes that every word "
        "is spoken); or auto: for Chinese fa-zh on the words that sensevoice hears, if the server "
        "has it (default: %(default)s)",
    )
    parser.add_argument(
        "--format",
        default="json",
        choices=ALIGNMENT_FORMATS,
        help="json (words with their confidence, by sentences), srt (subtitles), textgrid (Praat) "
        "or ctm (NIST: a word a line) (default: %(default)s)",
    )
    output = parser.add_argument(
        "--output", metavar="FILE", help="write to this file instead of stdout"
    )
    parser.add_argument(
        "--channels",
        type=channels_word,
        default="mix",
        metavar="mix|N",
        help="the mix of all channels, or one of them (from 1) (default: %(default)s)",
    )
    for action in (audio, text, output):
        names_files(action)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Align, write, and return the exit code."""
    try:
        text = read_text(options.text)
    except OSError as error:
        raise UsageError(f"{options.text}: {error.strerror or error}") from error
    except ValueError as error:
        raise UsageError(str(error)) from error
    if not text.strip():
        raise UsageError(f"{options.text}: expected text; the file has none")
    require_leave([options.audio], allow_urls=options.allow_urls)
    with ExitStack() as stack:
        folder = stack.enter_context(temporary_folder())
        source = recording(options.audio, lambda: save_stdin(folder))
        target = stack.enter_context(open_output(options.output, files_read(options)))
        client = stack.enter_context(client_factory(options.url, options.timeout, options.ca_file))
        try:
            with local_path(source, folder) as path:
                alignment = client.align(
                    path,
                    text,
                    language=options.language,
                    model=options.model,
                    channels=options.channels,
                )
        except AudioError as error:
            print(f"triton-asr align: {error}", file=sys.stderr)
            return EXIT_FAILED
        for warning in alignment.warnings:
            print(f"{source.shown}: warning: {warning}", file=sys.stderr)
        missing = sum(not word.heard for word in alignment.words)
        if missing:
            print(
                f"{missing} of {len(alignment.words)} words are not heard in the recording",
                file=sys.stderr,
            )
        target.write(format_alignment(options.format, alignment, source.utterance_id))
        target.keep()
    return EXIT_OK
