"""What the sub-commands share: exit codes and their exceptions, the way to a client."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, TypeAlias

from asr_contract import read_text
from asr_contract.access import KEY_VARIABLE

from ..errors import DecoderFailed, Overloaded, StorageFull

if TYPE_CHECKING:
    from ..blocking.client import Client

EXIT_OK = 0
EXIT_FAILED = 1
EXIT_USAGE = 2  # as argparse
EXIT_SERVER = 3
EXIT_OUTPUT = 4
EXIT_DECODER = 5
EXIT_STORAGE = 6
EXIT_OVERLOADED = 7

DEFAULT_URL = "grpc://127.0.0.1:8001"
URL_VARIABLE = "TRITON_ASR_URL"

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
        raise UsageError(f"--api-key-file {path}: {error}") from error
    if not key or "\n" in key:
        raise UsageError(f"--api-key-file {path}: expected one line with the key")
    os.environ[KEY_VARIABLE] = key


def read_hotwords(value: str | None) -> str | None:
    """Return the words of --hotword, read from the file where it names one.

    Raises:
        UsageError: the file cannot be read.
    """
    if value is None or not os.path.isfile(value):  # words may be longer than any name
        return value
    try:
        return read_text(value)
    except (OSError, ValueError) as error:
        raise UsageError(f"--hotword {value}: {error}") from error


# Options, and arguments, that may name a file which is read.
_READ = (
    *("files", "audio", "text", "wav_scp", "hotword", "known_speakers", "compute_cer"),
    *("ca_file", "api_key_file"),
)


def files_read(options: argparse.Namespace) -> list[str]:
    """Return what a command line names that is read, standard input as `-`."""
    values = [getattr(options, name, None) or [] for name in _READ]
    return [name for value in values for name in (value if isinstance(value, list) else [value])]
