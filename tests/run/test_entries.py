"""Every entry explains itself, called by path, as a module and as a console command."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from asr_server.command_line import COMMANDS
from asr_server.places import ROOT

ENTRIES = sorted(path.stem for path in (ROOT / "scripts").glob("[!_]*.py"))
QUICK_S = 2.0  # on a loaded machine; 0.1 to 0.3 otherwise. Imports of what serves take longer.


def help_of(command, folder):
    result = subprocess.run(
        [sys.executable, *command, "--help"], cwd=folder, capture_output=True, text=True
    )
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_works_by_path_and_as_a_module(name, tmp_path):
    by_path = help_of([ROOT / "scripts" / f"{name}.py"], tmp_path)
    as_module = help_of(["-m", f"scripts.{name}"], ROOT)
    assert by_path.startswith("usage: ")
    assert by_path == as_module
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", [None, *COMMANDS])
def test_a_command_explains_itself_at_once(name, tmp_path):
    begun = time.monotonic()
    text = help_of(["-m", "asr_server", *([name] if name else [])], tmp_path)
    assert time.monotonic() - begun < QUICK_S
    program = f"triton-asr-server {name}" if name else "triton-asr-server"
    assert text.startswith(f"usage: {program} ")
    if name is None:
        assert all(f"  {command} " in text for command in COMMANDS)


def test_explaining_imports_nothing_large(tmp_path):
    """What only an extra brings must not be needed to read how a command is called."""
    program = (
        "import importlib, sys\n"
        "from asr_server.command_line import COMMANDS\n"
        "for name in COMMANDS:\n"
        "    importlib.import_module('asr_server.commands.' + name.replace('-', '_'))\n"
        "large = {'onnx', 'onnxruntime', 'numpy', 'yaml', 'tritonclient', 'docker', 'asr_client'}\n"
        "sys.exit(', '.join(large & set(sys.modules)) or 0)\n"
    )
    result = subprocess.run([sys.executable, "-c", program], cwd=tmp_path, capture_output=True)
    assert result.returncode == 0, result.stderr


def test_an_unknown_command_is_refused(tmp_path):
    command = [sys.executable, "-m", "asr_server", "start"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 2
    assert "expected one of serve" in result.stderr
