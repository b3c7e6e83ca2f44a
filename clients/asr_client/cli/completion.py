"""`triton-asr completion`: prints a script with which a shell completes the command line."""

from __future__ import annotations

import argparse
from typing import Any

import shtab

from .common import EXIT_OK, ClientFactory


def add_parser(commands: Any) -> None:
    """Add the sub-command to the command line."""
    parser = commands.add_parser(
        "completion",
        help="print a script for the completion of a shell",
        description="Print a script with which a shell completes this command line, such as "
        'eval "$(triton-asr completion bash)" in ~/.bashrc.',
    )
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Print the script and return the exit code."""
    print(shtab.complete(options.parser, options.shell))
    return EXIT_OK
