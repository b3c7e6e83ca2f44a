"""How the commands speak to the user."""

from __future__ import annotations

import argparse
import sys

from asr_server.errors import InstallError
from asr_server.extras import MissingExtraError

_EXPLAINED = (InstallError, MissingExtraError, OSError, ValueError)


def report_line(text: str) -> None:
    """Print at once, also into a pipe."""
    print(text, flush=True)


def report_error(parser: argparse.ArgumentParser, error: object) -> int:
    """Print what went wrong, in one line under the command's name; return a failure's status."""
    reason = " ".join(str(error).split())
    if isinstance(error, Exception) and not isinstance(error, _EXPLAINED):
        # What nobody foresaw says little without its kind: KeyError: 'model_conf'.
        reason = f"{type(error).__name__}: {reason}"
    print(f"{parser.prog}: {reason}", file=sys.stderr)
    return 1
