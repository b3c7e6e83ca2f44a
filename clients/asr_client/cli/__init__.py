"""The command `triton-asr`: one sub-command a file.

Exit codes: 0 all done; 1 at least one file failed, the others are done, or there is no microphone;
2 the command line (or a file that it names as a list) is wrong; 3 the server cannot be reached, is
not ready, has no such model, lost the session, or was lost and did not come back; 4 the results
cannot be written; 5 to 7 ffmpeg, the disk for temporary files or the bound on decoders failed each
file that failed (`common.PASSING`); 130 interrupted by Ctrl-C, 143 by SIGTERM, 129 by SIGHUP.
"""

from __future__ import annotations

import argparse
import importlib
import io
import os
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import partial
from typing import Any

from asr_contract.command_parser import CommandParser
from asr_contract.entry import EXIT_INTERRUPTED, EXIT_OUTPUT, quick_end
from asr_contract.installed import installed_version

from ..errors import AsrError, ModelNotFound, OptionError, RequestRejected, SessionLost
from .common import (
    EXIT_FAILED,
    EXIT_SERVER,
    EXIT_USAGE,
    PASSING,
    ClientFactory,
    MicrophoneError,
    UsageError,
    connect,
    exit_code_of,
    use_key_file,
)
from .ending import Terminated, signals_raise
from .output import OutputError

_COMMANDS = {
    "transcribe": "recognise audio and video files",
    "archive": "recognise the recordings of a manifest, each once, resumable",
    "align": "find when each word of a given text is spoken",
    "stream": "send audio files piece by piece, as if they were live",
    "mic": "recognise speech from a microphone",
    "models": "list the models that are ready",
    "completion": "print a shell completion script",
}


class _SubcommandParser(CommandParser):
    """Parses a sub-command, whose module is imported when it is asked for: that takes a second.

    Args:
        command: the sub-command's name, which is its module's.
        arguments: as for `CommandParser`.
    """

    def __init__(self, command: str, **arguments: Any) -> None:
        super().__init__(**arguments)
        self._command: str | None = command

    def add_options(self) -> None:
        """Add what its module says, once."""
        if self._command is not None:
            with quick_end():
                module = importlib.import_module(f".{self._command}", __name__)
            module.add_options(self)
            self.set_defaults(run=module.run)
            self._command = None

    def parse_known_args(self, *args: Any, **named: Any) -> Any:
        """Parse as argparse does, with the options."""
        self.add_options()
        return super().parse_known_args(*args, **named)


def build_parser(*, whole: bool = False) -> argparse.ArgumentParser:
    """Return the parser of the command line.

    Args:
        whole: with the options of all sub-commands, which else are added when they are asked for.
    """
    parser = CommandParser(
        prog="triton-asr",
        description="Speech recognition on a Triton Inference Server.",
        epilog="exit status: 0 success; 1 some files failed, or no microphone; 2 wrong command "
        "line; 3 server not reachable, not ready or lost; 4 results cannot be written; 5 ffmpeg "
        "was killed or crashed, 6 no disk space for temporary files, 7 too many files decoded at "
        "once (5 to 7 if every failed file failed so); 130 interrupted; 143 terminated",
    )
    parser.add_argument("--version", action="version", version=f"triton-asr {installed_version()}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, parser_class=_SubcommandParser
    )
    for name, text in _COMMANDS.items():
        command = commands.add_parser(name, help=text, command=name)
        if whole:
            command.add_options()
    parser.set_defaults(whole_parser=partial(build_parser, whole=True))
    return parser


def main(arguments: Sequence[str] | None = None, *, client_factory: ClientFactory = connect) -> int:
    """Run the command line and return the exit code.

    Args:
        arguments: without the program's name; those of the process when left out.
        client_factory: makes the client from a URL and a timeout in seconds.
    """
    # Recognised text is in any language; what the locale says must not make printing fail.
    # Names of files may be any bytes.
    for output in (sys.stdout, sys.stderr):
        if hasattr(output, "reconfigure"):
            output.reconfigure(encoding="utf-8", errors="surrogateescape")
    options = build_parser().parse_args(arguments)
    with signals_raise():
        return _run(options, client_factory)


def _run(options: argparse.Namespace, client_factory: ClientFactory) -> int:
    """Run a sub-command; return its exit code, or that of what it ended with."""
    try:
        use_key_file(options)
        return int(options.run(options, client_factory))
    except Terminated as error:
        return error.exit_code
    except KeyboardInterrupt:
        print("triton-asr: interrupted", file=sys.stderr)
        return EXIT_INTERRUPTED
    except (UsageError, OptionError) as error:
        print(f"triton-asr {options.command}: {_in_options(error, options)}", file=sys.stderr)
        return EXIT_USAGE
    except MicrophoneError as error:
        print(f"triton-asr {options.command}: {error}", file=sys.stderr)
        return EXIT_FAILED
    except PASSING as error:
        print(f"triton-asr {options.command}: {error}", file=sys.stderr)
        return exit_code_of([error])
    except AsrError as error:
        print(f"triton-asr {options.command}: {error}", file=sys.stderr)
        return EXIT_USAGE if _is_refusal(error) else EXIT_SERVER
    except OutputError as error:
        _forget_output()
        print(f"triton-asr {options.command}: {error}", file=sys.stderr)
        return EXIT_OUTPUT
    except BrokenPipeError:  # the reader (`| head`) has enough
        _forget_output()
        return EXIT_FAILED


def _in_options(error: Exception, options: argparse.Namespace) -> str:
    """Return what is wrong, with `--ca-file` where the SDK says `ca_file`."""
    name, colon, rest = str(error).partition(":")
    return f"--{name.replace('_', '-')}:{rest}" if colon and name in vars(options) else str(error)


def _is_refusal(error: AsrError) -> bool:
    """Return whether the server refused what it was asked, as it does with a wrong option."""
    reason = error.__cause__ if isinstance(error, SessionLost) else error
    return isinstance(reason, RequestRejected) and not isinstance(reason, ModelNotFound)


def _forget_output() -> None:
    """Let go of what stdout could not write; else Python complains again when it flushes."""
    with suppress(io.UnsupportedOperation):  # it is no file
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
