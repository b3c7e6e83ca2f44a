"""What the sub-commands share: exit codes, the connection options, the way to a client."""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable

from ..client import Client
from ..options import DEFAULT_TIMEOUT_S

EXIT_OK = 0
EXIT_FILE_FAILED = 1
EXIT_USAGE = 2  # as argparse
EXIT_SERVER = 3
EXIT_INTERRUPTED = 130  # as shells: 128 + SIGINT

DEFAULT_URL = "grpc://127.0.0.1:8001"

# url, timeout_s, ca_file → client
ClientFactory = Callable[[str, float, "str | None"], Client]


class UsageError(Exception):
    """The command line, or a list that it names, is wrong."""


def connect(url: str, timeout_s: float, ca_file: str | None) -> Client:
    """Return a client of the real server."""
    return Client(url, timeout_s=timeout_s, ca_file=ca_file)


def add_connection_options(parser: argparse.ArgumentParser) -> None:
    """Add --url, --timeout and --ca-file."""
    parser.add_argument(
        "--url",
        default=DEFAULT_URL,
        help="grpc://host:port, http://host:port, grpcs://… or https://… (default: %(default)s)",
    )
    parser.add_argument(
        "--timeout",
        type=positive_seconds,
        default=DEFAULT_TIMEOUT_S,
        metavar="SECONDS",
        help="for each request (default: %(default)g)",
    )
    parser.add_argument("--ca-file", metavar="PEM", help="authorities to trust with TLS")


def positive_seconds(text: str) -> float:
    """Parse a finite number above 0, for argparse."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 0 < value < math.inf:
        raise argparse.ArgumentTypeError(f"expected a number of seconds above 0; got {text!r}")
    return value


def positive_count(text: str) -> int:
    """Parse a whole number above 0, for argparse."""
    try:
        value = int(text)
    except ValueError:
        value = 0
    if value < 1:
        raise argparse.ArgumentTypeError(f"expected a whole number above 0; got {text!r}")
    return value
