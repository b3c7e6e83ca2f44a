"""compose.yaml and the systemd units: what they start exists, and comes back."""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess

import pytest
import yaml

from asr_server.commands.serve_options import parser as serve_parser
from asr_server.places import ROOT

COMPOSE = yaml.safe_load((ROOT / "compose.yaml").read_text())
UNITS = sorted((ROOT / "docs" / "systemd").glob("*.service"))


def check_serve(words: list[str]) -> None:
    """See that `triton-asr-server serve` takes these options."""
    assert words[:2] == ["triton-asr-server", "serve"]
    assert serve_parser(None, None).parse_args(words[2:])


@pytest.mark.parametrize("name", COMPOSE["services"])
def test_a_service_comes_back_and_says_how_it_is(name):
    service = COMPOSE["services"][name]
    assert service["restart"] == "unless-stopped"
    assert service["healthcheck"]["test"][0] == "CMD"
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
    assert service["read_only"]


def test_what_compose_and_the_image_start_has_doors():
    check_serve(COMPOSE["services"]["triton"]["command"])
    started = re.search(r"^CMD (\[.*\])$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert started
    check_serve(json.loads(started[1]))


@pytest.mark.parametrize("unit", UNITS, ids=lambda path: path.name)
def test_units(unit, tmp_path):
    text = unit.read_text()
    commands = re.findall(r"^(?:# )?ExecStart=/opt/triton-asr/bin/(.*)$", text, re.MULTILINE)
    assert commands
    for command in commands:
        words = shlex.split(command)
        if words[0] == "triton-asr-server":
            check_serve(words)
    if shutil.which("systemd-analyze") is None:
        return  # the rest is systemd's own word
    copy = tmp_path / unit.name
    copy.write_text(re.sub(r"(?m)^ExecStart=\S+", "ExecStart=/bin/true", text))
    verify = subprocess.run(
        ["systemd-analyze", "verify", str(copy)], capture_output=True, text=True, check=False
    )
    assert verify.stdout + verify.stderr == ""
    assert verify.returncode == 0
