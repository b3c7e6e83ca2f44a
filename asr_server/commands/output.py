"""How the commands speak to the user."""

from __future__ import annotations

import argparse
import sys

from asr_contract.command_parser import describe_os_error
from asr_contract.entry import drop_stdout
from asr_contract.patient_lines import PatientLines

_STDOUT = 1  # its file descriptor

_EXPLAINED = (OSError, ValueError)


def report_line(text: str) -> None:
    """Print at once, also into a pipe.

    Raises:
        OSError: nobody reads it, or it cannot be written; it names standard output.
    """
    try:
        print(text, flush=True)
    except OSError as error:
        drop_stdout()
        error.filename = "standard output"
        raise


def patient_lines() -> PatientLines:
    """Return a printer for a command that runs on, whether or not anybody reads its output."""
    return PatientLines(_STDOUT, lambda count: f"({count} lines left out: nobody read them)")


def report_error(parser: argparse.ArgumentParser, error: object) -> int:
    """Print what went wrong, in one line under the command's name; return a failure's status.

    Raises:
        BrokenPipeError: that is it: nobody reads what the command prints.
    """
    if isinstance(error, BrokenPipeError):
        raise error
    reason = describe_os_error(error) if isinstance(error, OSError) else str(error)
    reason = " ".join(reason.split())
    is_ours = type(error).__module__.startswith("asr_")
    if isinstance(error, Exception) and not isinstance(error, _EXPLAINED) and not is_ours:
        # What nobody foresaw says little without its kind: KeyError: 'model_conf'.
        reason = f"{type(error).__name__}: {reason}"
    print(f"{parser.prog}: {reason}", file=sys.stderr)
    return 1
