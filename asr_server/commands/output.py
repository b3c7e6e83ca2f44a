"""How the commands speak to the user."""

from __future__ import annotations

import argparse
import sys


def report_line(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def report_error(parser: argparse.ArgumentParser, error: object) -> int:
    """Print what went wrong, under the command's name; return the exit status of a failure."""
    print(f"{parser.prog}: {error}", file=sys.stderr)
    return 1
