"""Which Python the environment is made with; stand-ins for all that may be on a PATH."""

from __future__ import annotations

import subprocess
import sys

import pytest

from asr_server.places import ROOT

SCRIPT = ROOT / "scripts" / "find_python.py"


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


class Machine:
    """A PATH with nothing on it but what a test puts there."""

    def __init__(self, folder):
        self.bin = folder / "bin"
        self.bin.mkdir(parents=True)
        self.path = str(self.bin)
        self.tools = folder / "tools"

    def add(self, name, text):
        """Put a shell script on PATH."""
        program = self.bin / name
        program.write_text(f"#!/bin/sh\n{text}\n")
        program.chmod(0o755)
        return program

    def add_python(self, name, version):
        """Put a stand-in there that says it is Python of a version, and can do nothing else."""
        return self.add(name, f'test "$1" = -c && echo {version}')

    def find(self, *wanted):
        """Run the program by a real Python."""
        return subprocess.run(
            [sys.executable, str(SCRIPT), *wanted, "--tools", str(self.tools)],
            env={"PATH": self.path},
            capture_output=True,
            text=True,
        )


@pytest.mark.parametrize("version", ["3.10", "3.11", "3.12"])
def test_the_one_that_is_wanted_is_taken_if_it_will_do(machine, version):
    python = machine.add_python("python3", version)
    machine.add_python("python3.12", "3.12")
    found = machine.find()
    assert found.stdout == f"{python}\n"
    assert found.stderr == ""


@pytest.mark.parametrize("version", ["3.9", "3.13", "3.14", "4.0"])
def test_else_the_newest_that_will_do(machine, version):
    machine.add_python("python3", version)
    machine.add_python("python3.10", "3.10")
    python = machine.add_python("python3.11", "3.11")
    machine.add("python3.12", "exit 127")  # as pyenv's shims of versions that are not switched on
    found = machine.find()
    assert found.stdout == f"{python}\n"
    assert found.stderr == f"find_python: python3 is Python {version}: taking {python}\n"


def test_what_hides_another_of_its_name_is_passed_over(machine, tmp_path):
    machine.add_python("python3", "3.13")
    machine.add("python3.11", "exit 127")
    system = Machine(tmp_path / "system")
    python = system.add_python("python3.11", "3.11")
    machine.path = f"{machine.bin}:{system.bin}"
    assert machine.find().stdout == f"{python}\n"


def test_a_wanted_one_that_is_not_there(machine):
    python = machine.add_python("python3.12", "3.12")
    found = machine.find("python3.13")
    assert found.stdout == f"{python}\n"
    assert "python3.13 does not run" in found.stderr


def test_uv_gets_one_where_none_is_installed(machine):
    machine.add_python("python3", "3.13")
    python = machine.add_python("managed", "3.12")
    log = machine.tools.with_name("log")
    machine.add("uv", f'echo "$*" >> {log}; test "$2" = find && echo {python} || true')
    found = machine.find()
    assert found.stdout == f"{python}\n"
    assert log.read_text().splitlines() == ["python install 3.12", "python find 3.12"]


@pytest.mark.parametrize(
    "answer", ["exit 1", "test $2 = install", "echo /nowhere/python3.12"], ids=str
)
def test_without_any_two_lines_say_what_to_do(machine, answer):
    machine.add_python("python3", "3.13")
    machine.add("uv", answer)
    found = machine.find()
    assert found.returncode == 1
    assert found.stdout == ""
    assert len(found.stderr.splitlines()) == 3  # what was tried, what is missing, what to install
    assert "got none: python3 is Python 3.13" in found.stderr
    assert "apt-get install python3.12-venv libpython3.12" in found.stderr


def test_uv_is_installed_where_it_is_not_there(machine):
    """By pip into a folder of its own; this one has been made by an earlier call."""
    machine.add_python("python3", "3.13")
    python = machine.add_python("managed", "3.12")
    machine.add("uv", f"echo {python}").rename(machine.bin / "elsewhere")
    (machine.tools / "bin").mkdir(parents=True)
    (machine.bin / "elsewhere").rename(machine.tools / "bin" / "uv")
    assert machine.find().stdout == f"{python}\n"
