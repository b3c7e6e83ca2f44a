"""What is missing is installed where that can be done, and named where not."""

from __future__ import annotations

import sys

import pytest

from scripts import check_system


class Apt:
    """Stands in for `apt-get`: `fails` names the sub-commands that do."""

    def __init__(self, fails, missing):
        self.fails, self.missing, self.commands = fails, missing, []

    def run(self, command, check):
        self.commands.append(command)
        failed = command[1] in self.fails
        if command[1] == "install" and not failed:
            self.missing.clear()

        class Done:
            returncode = 100 if failed else 0

        return Done


def use(monkeypatch, apt, root=True):
    monkeypatch.setattr(check_system, "unsuitable", lambda: "")
    monkeypatch.setattr(check_system, "missing_packages", lambda tests: list(apt.missing))
    monkeypatch.setattr(check_system.subprocess, "run", apt.run)
    monkeypatch.setattr(check_system.os, "geteuid", lambda: 0 if root else 1000)
    monkeypatch.setattr(sys, "argv", ["check_system.py", "--install"])
    return check_system.main()


def test_apt_is_not_asked_where_nothing_is_missing(monkeypatch):
    apt = Apt(("update", "install"), [])
    assert use(monkeypatch, apt) == 0
    assert apt.commands == []


@pytest.mark.parametrize("fails", [(), ("update",)])
def test_it_waits_for_the_lock_and_needs_no_fresh_lists(monkeypatch, fails):
    apt = Apt(fails, ["libportaudio2"])
    assert use(monkeypatch, apt) == 0
    assert all("DPkg::Lock::Timeout=600" in command for command in apt.commands)
    assert apt.commands[-1][-1] == "libportaudio2"


def test_a_lock_that_stays_is_no_traceback(monkeypatch, capsys):
    apt = Apt(("update", "install"), ["libportaudio2"])
    assert use(monkeypatch, apt) == 1
    said = capsys.readouterr().err
    assert "failed: apt-get install" in said
    assert said.splitlines()[-1].endswith("as root: apt-get install libportaudio2")


def test_others_than_root_are_told(monkeypatch, capsys):
    apt = Apt((), ["pulseaudio"])
    assert use(monkeypatch, apt, root=False) == 1
    assert apt.commands == []
    assert "as root: apt-get install pulseaudio" in capsys.readouterr().err
