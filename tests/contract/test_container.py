"""What the Dockerfile copies is what the build is given, and holds every package of the wheel."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def copied() -> set[str]:
    """Return the sources of all COPY lines."""
    sources: set[str] = set()
    for line in (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines():
        if line.startswith("COPY "):
            sources.update(line.split()[1:-1])
    return sources


def let_through() -> set[str]:
    """Return what `.dockerignore` excepts from "nothing"."""
    lines = (ROOT / ".dockerignore").read_text(encoding="utf-8").split()
    assert lines[0] == "*"
    return {line.removeprefix("!") for line in lines[1:]}


def test_the_build_is_given_what_it_copies() -> None:
    assert copied() == let_through()


@pytest.mark.parametrize("name", sorted(copied()))
def test_what_is_copied_is_there(name: str) -> None:
    assert (ROOT / name).exists()


@pytest.mark.parametrize("name", ["asr_contract", "asr_core", "asr_triton", "clients"])
def test_the_container_has_what_it_runs(name: str) -> None:
    assert name in copied()


def test_the_container_has_what_the_build_names() -> None:
    project = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    (readme,) = re.findall(r'^readme = "(.+)"', project, re.MULTILINE)
    (licenses,) = re.findall(r"^license-files = (\[.+\])", project, re.MULTILINE)
    assert {readme, *json.loads(licenses)} <= copied()
