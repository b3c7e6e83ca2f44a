"""What the sub-commands share: exit codes and their exceptions, the way to a client."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from asr_contract import parse_hotwords, read_text
from asr_contract.access import KEY_VARIABLE
from asr_contract.command_parser import describe_os_error

from ..errors import DecoderFailed, Overloaded, StorageFull

if TYPE_CHECKING:
    from ..blocking.client import Client

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2  # as argparse
EXIT_SERVER = 3
EXIT_DECODER = 5
EXIT_STORAGE = 6
EXIT_OVERLOADED = 7

DEFAULT_URL = "grpc://127.0.0.1:8001"
URL_VARIABLE = "TRITON_ASR_URL"
_TEXT_FILE = ".txt"  # of hotwords, a name and not a word

PASSING = (DecoderFailed, StorageFull, Overloaded)
"""Failures of a file that another attempt may not have; they end neither a run nor its client."""

_OF_PASSING: dict[type[Exception], int] = dict(
    zip(PASSING, (EXIT_DECODER, EXIT_STORAGE, EXIT_OVERLOADED), strict=True)
)

# url, timeout_s, ca_file → client
ClientFactory: TypeAlias = "Callable[[str, float, str | None], Client]"


class UsageError(Exception):
    """The command line, or a list that it names, is wrong."""


class MicrophoneError(Exception):
    """There is no sound to be had: no library, no device, or the device fails."""


def exit_code_of(failures: Iterable[Exception]) -> int:
    """Return what a run ends with: what all of its failures are, where they are of one kind."""
    codes = {_OF_PASSING.get(type(error), EXIT_FAILED) for error in failures}
    if not codes:
        return EXIT_OK
    return codes.pop() if len(codes) == 1 else EXIT_FAILED


def connect(url: str, timeout_s: float, ca_file: str | None) -> Client:
    """Return a client of the real server."""
    from ..blocking.client import Client  # a second of imports, which --help can do without

    return Client(url, timeout_s=timeout_s, ca_file=ca_file)


def use_key_file(options: argparse.Namespace) -> None:
    """Put the key of --api-key-file into the environment, as clients and their children read it.

    Raises:
        UsageError: there is none.
    """
    path = getattr(options, "api_key_file", None)
    if path is None:
        return
    try:
        key = read_text(path).strip()
    except (OSError, ValueError) as error:
        raise UsageError(f"--api-key-file {reason_of(error)}") from error
    if not key or "\n" in key:
        raise UsageError(f"--api-key-file {path}: expected one line with the key")
    os.environ[KEY_VARIABLE] = key


def read_hotwords(value: str | None) -> str | None:
    """Return the words of --hotword, read from the file where it names one.

    Raises:
        UsageError: the file cannot be read, or what it holds are no hotwords.
    """
    if value is None:
        return None
    words = value
    try:
        if os.path.isfile(value):  # words may be longer than any name
            words = read_text(value)
        elif value.endswith(_TEXT_FILE):
            raise UsageError(f"--hotword {value}: No such file or directory")
    except (OSError, ValueError) as error:
        raise UsageError(f"--hotword {reason_of(error)}") from error
    try:
        parse_hotwords(words)
    except ValueError as error:
        where = "--hotword" if words is value else f"--hotword {value}"
        raise UsageError(f"{where}: {str(error).removeprefix('hotwords: ')}") from error
    return words


def reason_of(error: OSError | ValueError) -> str:
    """Return what is wrong with a file, by its name, whether it cannot be read or understood."""
    return describe_os_error(error) if isinstance(error, OSError) else str(error)


# Options, and arguments, that may name a file which is read.
_READ = (
    *("files", "audio", "text", "wav_scp", "hotword", "known_speakers", "compute_cer"),
    *("ca_file", "api_key_file"),
)


def files_read(options: argparse.Namespace) -> list[str]:
    """Return what a command line names that is read, standard input as `-`."""
    values = [getattr(options, name, None) or [] for name in _READ]
    return [name for value in values for name in (value if isinstance(value, list) else [value])]
