"""The command `triton-asr`: one sub-command a file.

Exit codes: 0 all done; 1 at least one file failed, the others are done, or there is no microphone;
2 the command line (or a file that it names as a list) is wrong; 3 the server cannot be reached, is
not ready, has no such model or lost the session; 130 interrupted by Ctrl-C.
"""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Sequence

from ..errors import AsrError, OptionError
from . import mic, models, stream, transcribe
from .common import (
    EXIT_FAILED,
    EXIT_INTERRUPTED,
    EXIT_SERVER,
    EXIT_USAGE,
    ClientFactory,
    UsageError,
    connect,
    positive_count,
    positive_seconds,
    vad_option,
)
from .microphone import MicrophoneError

__all__ = ["build_parser", "main", "positive_count", "positive_seconds", "vad_option"]


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the whole command line."""
    parser = argparse.ArgumentParser(
        prog="triton-asr",
        description="Speech recognition on a Triton Inference Server.",
        epilog="exit codes: 0 all done, 1 some files failed or no microphone, 2 wrong command "
        "line, 3 server not reachable or not ready, 130 interrupted",
    )
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for command in (transcribe, stream, mic, models):
        command.add_parser(commands)
    return parser


def main(arguments: Sequence[str] | None = None, *, client_factory: ClientFactory = connect) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: without the program's name; those of the process when left out.
        client_factory: makes the client from a URL and a timeout in seconds.
    """
    # Recognised text is in any language; what the locale says must not make printing fail.
    for output in (sys.stdout, sys.stderr):
        if hasattr(output, "reconfigure"):
            output.reconfigure(encoding="utf-8")
    options = build_parser().parse_args(arguments)
    try:
        return int(options.run(options, client_factory))
    except KeyboardInterrupt:
        print("triton-asr: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (UsageError, OptionError) as error:
        print(f"triton-asr {options.command}: {error}", file=sys.stderr)
        return EXIT_USAGE
    except MicrophoneError as error:
        print(f"triton-asr {options.command}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except AsrError as error:
        print(f"triton-asr {options.command}: {error}", file=sys.stderr)
        return EXIT_SERVER
    except BrokenPipeError:
        # The reader (`| head`) has enough. Python would complain again when it flushes at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
