"""The options of `triton-asr transcribe`."""

from __future__ import annotations

import argparse

from .arguments import (
    add_url_option,
    names_files,
    text_format,
)
from .formats import FORMATS
from .recognition_options import add_recognition_options


def add_transcribe_options(parser: argparse.ArgumentParser) -> None:
    """Add the arguments and options of `triton-asr transcribe`."""
    files = parser.add_argument(
        "files",
        nargs="*",
        metavar="FILE",
        help="audio or video file, directory of them, Kaldi list named *.scp, or - for standard "
        "input",
    )
    scp = parser.add_argument(
        "--wav-scp",
        action="append",
        default=[],
        metavar="SCP",
        help="Kaldi list with one 'id path' per line (shell pipes are refused)",
    )
    add_url_option(parser)
    add_recognition_options(parser)
    parser.add_argument(
        "--itn",
        action=argparse.BooleanOptionalAction,
        help="write numbers as digits; SenseVoice: also punctuation (default: yes, but not with "
        "--compute-cer)",
    )
    parser.add_argument(
        "--format",
        default="txt",
        type=text_format,
        choices=FORMATS,
        help="txt, json (one object per line), kaldi ('id text'), subtitles (srt, vtt), a table of "
        "sentences (tsv), or with --speakers who speaks when (rttm) (default: %(default)s)",
    )
    output = parser.add_argument(
        "--output",
        metavar="FILE",
        help="write to this file instead of stdout; an existing file stays until there is a result",
    )
    output_dir = parser.add_argument(
        "--output-dir",
        metavar="DIR",
        help="write one file per recording there; recordings with a result are skipped",
    )
    parser.add_argument(
        "--force", action="store_true", help="recognise those again (with --output-dir)"
    )
    reference = parser.add_argument(
        "--compute-cer",
        metavar="REF",
        help="print the character error rate against these transcripts (Kaldi 'id text' or TSV) to "
        "stderr",
    )
    for action in (files, scp, output, output_dir, reference):
        names_files(action)
