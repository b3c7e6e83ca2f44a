"""Options that several sub-commands have, and how argparse reads their values."""

from __future__ import annotations

import argparse
import math
import os
from typing import Any, cast

import shtab

from asr_contract import STREAMING_MODEL, ChunkSize, parse_chunk_size, read_language
from asr_contract.access import KEY_VARIABLE

from ..audio import Channels, read_channels
from ..errors import OptionError
from ..files.options import check_vad_option
from ..options import DEFAULT_TIMEOUT_S
from ..speaker_count import SpeakerCount, read_speakers
from .common import DEFAULT_URL, URL_VARIABLE


class Joined(argparse.Action):
    """Joins the values of an option that is given several times with commas."""

    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: str | None = None,
    ) -> None:
        """Take one more value; the first replaces the default."""
        before = getattr(namespace, self.dest, self.default)
        setattr(namespace, self.dest, values if before is self.default else f"{before},{values}")


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add --url, --timeout, --ca-file and --api-key-file."""
    parser.add_argument(
        "--url",
        action=Joined,
        default=os.environ.get(URL_VARIABLE) or DEFAULT_URL,
        help="server: grpc://host:port, http://host:port, grpcs://… or https://…; for several "
        "servers, separate them with commas, repeat the option, or give a host name with several "
        f"addresses (default: the variable {URL_VARIABLE}, else {DEFAULT_URL})",
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="timeout of each request (default: %(default)g)",
    )
    parser.add_argument("--ca-file", metavar="PEM", help="certificate authorities to trust")
    key_file = parser.add_argument(
        "--api-key-file",
        metavar="FILE",
        help=f"file with the server's API key (default: the variable {KEY_VARIABLE})",
    )
    names_files(key_file)


def add_url_option(parser: argparse.ArgumentParser) -> None:
    """Add --allow-urls, which `addresses.require_leave` asks for."""
    parser.add_argument(
        "--allow-urls",
        action="store_true",
        help="also accept http:// and https:// addresses as files; each is downloaded when its "
        "turn comes",
    )


def add_hotword_option(parser: argparse.ArgumentParser) -> None:
    """Add --hotword, which `read_hotwords` reads."""
    option = parser.add_argument(
        "--hotword",
        metavar="WORDS|FILE",
        help="hotwords, or a text file with one per line; a word may be followed by its weight "
        "(20 is usual, 1 if not given)",
    )
    names_files(option)


def add_streaming_options(parser: argparse.ArgumentParser) -> None:
    """Add what all that stream take: model, language, chunk size, hotwords, format, output."""
    parser.add_argument(
        "--model",
        default=STREAMING_MODEL,
        help="name of a streaming Triton model; or sensevoice, which decodes the current speech "
        "repeatedly and knows five languages (default: %(default)s)",
    )
    parser.add_argument(
        "--language",
        type=language_word,
        default="auto",
        metavar="LANGUAGE",
        help="zh, en, yue, ja, ko, or a tag or name such as zh-CN or Chinese; used by sensevoice "
        "only (default: %(default)s)",
    )
    parser.add_argument(
        "--chunk-size",
        type=chunk_size,
        metavar="A,B,C",
        help="look-back, chunk and look-ahead of the encoder in units of 60 ms, such as 0,8,4 "
        "(default: the model's, 5,10,5)",
    )
    add_hotword_option(parser)
    parser.add_argument(
        "--format",
        default="txt",
        type=text_format,
        choices=("txt", "json"),
        help="txt, or json: one object per line for each change of the text and for the result "
        "(default: %(default)s)",
    )
    output = parser.add_argument(
        "--output", metavar="FILE", help="write to this file instead of stdout"
    )
    names_files(output)


def text_format(name: str) -> str:
    """Return the name of a format, for argparse: `text` is `txt`, too."""
    return "txt" if name == "text" else name


def names_files(action: argparse.Action) -> None:
    """Let shells complete an argument with the names of files."""
    cast(Any, action).complete = shtab.FILE


def chunk_size(text: str) -> ChunkSize:
    """Parse three whole numbers with commas between them, for argparse."""
    try:
        return parse_chunk_size(text)
    except ValueError as error:
        raise _of_an_option(error) from None


def language_word(text: str) -> str:
    """Parse a language in any form that `asr_contract.languages` reads, for argparse."""
    try:
        return read_language(text)
    except ValueError as error:
        raise _of_an_option(error) from None


def positive_seconds(text: str) -> float:
    """Parse a finite number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0; got {text!r}")
    return value


def seconds(text: str) -> float:
    """Parse a finite number that is not negative, for argparse."""
    return 0.0 if text.strip() in ("0", "0.0") else positive_seconds(text)


def positive_count(text: str) -> int:
    """Parse a whole number above 0, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0; got {text!r}")
    return value


def speakers_word(text: str) -> SpeakerCount:
    """Parse auto or a number of speakers, for argparse."""
    try:
        return read_speakers(text)
    except OptionError as error:
        raise _of_an_option(error) from None


def channels_word(text: str) -> Channels:
    """Parse mix, each or the number of a channel, for argparse."""
    try:
        return read_channels(text)
    except OptionError as error:
        raise _of_an_option(error) from None


def vad_option(text: str) -> tuple[str, float]:
    """Parse NAME=VALUE, for argparse."""
    name, _, word = text.partition("=")
    try:
        value = float(word)
    except ValueError:
        raise argparse.ArgumentTypeError(
            f"expected NAME=VALUE with a number such as max_end_silence_time=500; got {text!r}"
        ) from None
    try:
        check_vad_option(name, value)
    except OptionError as error:
        raise _of_an_option(error) from None
    return name, value


def _of_an_option(error: Exception) -> argparse.ArgumentTypeError:
    """Return what argparse raises: it says itself which option is wrong."""
    name, colon, rest = str(error).partition(": ")
    return argparse.ArgumentTypeError(rest if colon and name.isidentifier() else str(error))
