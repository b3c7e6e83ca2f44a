"""What a command says of wrong options, and of a standard output that takes nothing."""

from __future__ import annotations

import errno
import subprocess
import sys

import pytest

from asr_contract.command_parser import CommandParser, describe_os_error


@pytest.fixture
def parser():
    parser = CommandParser(prog="program")
    parser.add_argument("--format", choices=("txt", "json"))
    parser.add_argument("--port", type=int)
    return parser


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--format", "xml"], "--format: expected one of txt, json; got 'xml'"),
        (["--port", "x"], "--port: expected a whole number; got 'x'"),
        (["--fromat", "txt"], "unrecognized arguments: --fromat txt"),
    ],
)
def test_a_wrong_option_takes_two_lines(parser, words, told, capsys):
    with pytest.raises(SystemExit) as ending:
        parser.parse_args(words)
    assert ending.value.code == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines == [f"program: {told}", "See program --help for the options."]


def test_right_options_are_taken(parser):
    options = parser.parse_args(["--format", "json", "--port", "5"])
    assert (options.format, options.port) == ("json", 5)


def test_the_systems_errors_have_no_number():
    assert describe_os_error(FileNotFoundError(errno.ENOENT, "No such file", "x")) == (
        "x: No such file"
    )
    assert describe_os_error(OSError(errno.ENOSPC, "No space left")) == "No space left"
    assert describe_os_error(OSError("an odd one")) == "an odd one"


@pytest.mark.parametrize("command", ["asr_client completion bash", "asr_server install list"])
def test_a_full_disk_is_told_in_a_line(command):
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-m", *command.split()],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            timeout=120,
        )
    assert ended.returncode in (1, 4)
    assert "No space left on device" in ended.stderr
    assert len(ended.stderr.splitlines()) == 1
