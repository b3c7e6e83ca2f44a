"""The options that say how recordings are recognised, of all sub-commands that do it."""

from __future__ import annotations

import argparse

from asr_contract import LANGUAGE_IDS

from .arguments import (
    add_connection_options,
    add_hotword_option,
    channels_word,
    language_word,
    names_files,
    positive_count,
    seconds,
    speakers_word,
    vad_option,
)
from .raw_samples import add_raw_options

SERVER_WAIT_S = 120.0  # a server on two cores is back after half a minute


def add_recognition_options(parser: argparse.ArgumentParser) -> None:
    """Add all of them but --itn, whose default depends on the command."""
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
        "that take one; give it if you know it: auto may mistake the language of a short sentence "
        "(default: %(default)s)",
    )
    add_hotword_option(parser)
    parser.add_argument(
        "--concurrency",
        type=positive_count,
        default=4,
        metavar="N",
        help="files processed at the same time (default: %(default)s)",
    )
    parser.add_argument(
        "--server-wait",
        type=seconds,
        default=SERVER_WAIT_S,
        metavar="SECONDS",
        help="how long to wait for a server that is lost during the run (default: %(default)g)",
    )
    long = parser.add_argument_group("long recordings (need the model vad on the server)")
    long.add_argument(
        "--vad",
        action=argparse.BooleanOptionalAction,
        help="find the speech and recognise it segment by segment; with --no-vad each file is one "
        "request and must be short (default: yes if the server has the model)",
    )
    long.add_argument(
        "--punctuation",
        action=argparse.BooleanOptionalAction,
        default=True,
        help="add punctuation; needs the model punctuation, except for SenseVoice (default: yes)",
    )
    long.add_argument(
        "--vad-option",
        action="append",
        default=[],
        type=vad_option,
        metavar="NAME=VALUE",
        help="FunASR's option of the VAD, such as max_end_silence_time=500; may be repeated",
    )
    long.add_argument(
        "--speakers",
        nargs="?",
        const="auto",
        type=speakers_word,
        metavar="N|auto",
        help="tell speakers apart: this many, or as many as are found (auto); needs the model "
        "speaker on the server",
    )
    known = long.add_argument(
        "--known-speakers",
        metavar="FILE",
        help="speakers.json with the names and recordings of known speakers (docs/speakers.md)",
    )
    names_files(known)
    parser.add_argument(
        "--channels",
        type=channels_word,
        default="mix",
        metavar="mix|N|each",
        help="the mix of all channels, one channel (counted from 1), or each as its own speaker "
        "(default: %(default)s)",
    )
    add_raw_options(parser)
