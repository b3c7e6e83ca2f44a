"""The rooms of `asr_core` have front doors: others use these, and none costs what it need not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import asr_core

ROOT = Path(asr_core.__file__).parents[1]
ROOMS = sorted(path.parent.name for path in (ROOT / "asr_core").glob("*/__init__.py"))
USERS = ("asr_triton", "asr_server", "lab", "scripts", "tests", *ROOT.glob("model_repo_*"))
HEAVY = {"torch", "kaldifeat", "onnxruntime", "rapidfuzz", "sentencepiece", "soundfile"}


def inner_imports(path: Path) -> list[str]:
    """Imports of a module inside a room."""
    modules = [
        node.module or ""
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.ImportFrom)
    ]
    return [name for name in modules if name.startswith("asr_core.") and name.count(".") > 1]


def test_others_come_in_by_the_front_door():
    """Only the tests of what is inside a room may look inside."""
    paths = [path for user in USERS for path in (ROOT / user).rglob("*.py")]
    paths = [path for path in paths if path.parent != Path(__file__).parent]
    assert len(paths) > 100
    found = {str(path.relative_to(ROOT)): inner_imports(path) for path in paths}
    assert {path: names for path, names in found.items() if names} == {}


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_opens_first_and_brings_nothing_heavy(room):
    """In a process of its own: no circle that another import would hide."""
    program = f"import asr_core.{room}, sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert not HEAVY & set(run.stdout.split())
