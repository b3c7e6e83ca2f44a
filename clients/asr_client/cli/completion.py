"""`triton-asr completion`: prints a script with which a shell completes the command line."""

from __future__ import annotations

import argparse

import shtab

from .common import EXIT_OK, ClientFactory


def add_options(parser: argparse.ArgumentParser) -> None:
    """Say what the sub-command does, and add its options."""
    parser.description = (
        "Print a script with which a shell completes this command line, such as "
        'eval "$(triton-asr completion bash)" in ~/.bashrc.'
    )
    parser.add_argument("shell", choices=shtab.SUPPORTED_SHELLS)


def run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Print the script and return the exit code."""
    print(shtab.complete(options.whole_parser(), options.shell))
    return EXIT_OK
