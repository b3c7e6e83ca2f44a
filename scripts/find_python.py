"""Finds a Python that the project runs with, and prints its path.

    python3 scripts/find_python.py [PYTHON] [--tools FOLDER]

PYTHON is the one that is wanted. Where it is too new (Debian 13 and Ubuntu 26.04 have 3.13 and
later) or too old, an installed python3.12, 3.11 or 3.10 is taken, else uv gets one: the uv on
PATH, or one that is put into FOLDER by pip. Where uv takes a Python from is its own affair
(UV_PYTHON_INSTALL_MIRROR names another place). Runs with any Python from 3.8 on, before anything
is installed, so it uses the standard library only.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 12)  # what tritonserver's wheel and its NumPy exist for
VERSIONS = tuple(f"3.{minor}" for minor in range(NEWEST[1], OLDEST[1] - 1, -1))
ASKED = "import sys; print('%d.%d' % sys.version_info[:2])"


def version_of(python: str) -> tuple[int, int] | None:
    """Return the (major, minor) of a Python, None where it does not run."""
    try:
        asked = subprocess.run(
            [python, "-c", ASKED], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, check=True
        )
        major, minor = asked.stdout.decode().strip().split(".")
        return int(major), int(minor)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return None


def is_suitable(python: str) -> bool:
    """Return whether a Python is there and of a version that will do."""
    version = version_of(python)
    return version is not None and OLDEST <= version <= NEWEST


def find_installed(wanted: str) -> str | None:
    """Return the Python that is wanted or else the newest installed one that will do, or None."""
    for name in (wanted, *(f"python{version}" for version in VERSIONS)):
        for path in all_on_path(name):
            if is_suitable(path):
                return path
    return None


def all_on_path(name: str) -> Iterator[str]:
    """Yield all programs of a name; pyenv's shims, which may not run, hide the system's."""
    for folder in os.get_exec_path() if os.sep not in name else [""]:
        path = shutil.which(name, path=folder) if folder else shutil.which(name)
        if path is not None:
            yield path


def find_uv(tools: str) -> str | None:
    """Return uv's path, after installing it into the folder `tools` if need be, or None."""
    installed = shutil.which("uv")
    if installed is not None:
        return installed
    uv = Path(tools) / "bin" / "uv"
    if not uv.exists():
        pip = [str(Path(tools) / "bin" / "python"), "-m", "pip", "install", "--quiet", "uv"]
        for command in ([sys.executable, "-m", "venv", str(tools)], pip):
            if subprocess.run(command, stdout=sys.stderr, check=False).returncode != 0:
                return None
    return str(uv)


def get_by_uv(uv: str) -> str | None:
    """Return a Python that uv has or downloads, or None."""
    version = VERSIONS[0]
    for command in ([uv, "python", "install", version], [uv, "python", "find", version]):
        done = subprocess.run(command, stdout=subprocess.PIPE, check=False)
        if done.returncode != 0:
            return None
    path = done.stdout.decode().strip()
    return path if is_suitable(path) else None


def find(wanted: str, tools: str) -> str | None:
    """Return a Python's path, or None; says on stderr which, where it is not the one wanted."""
    found = find_installed(wanted)
    if found is None:
        say(f"{describe(wanted)}, and no other Python {VERSIONS[-1]} to {VERSIONS[0]}: trying uv")
        uv = find_uv(tools)
        found = None if uv is None else get_by_uv(uv)
    if found is not None and found != shutil.which(wanted):
        say(f"{describe(wanted)}: taking {found}")
    return found


def describe(wanted: str) -> str:
    """Say what is wrong with the Python that is wanted."""
    version = version_of(wanted)
    if version is None:
        return f"{wanted} does not run"
    return f"{wanted} is Python {version[0]}.{version[1]}"


def say(text: str) -> None:
    """Print to the user; stdout is for the path."""
    print(f"find_python: {text}", file=sys.stderr)


def main() -> int:
    """Print the path; return the exit status."""
    parser = argparse.ArgumentParser(description="Find a Python 3.10 to 3.12.")
    parser.add_argument("wanted", nargs="?", default="python3", metavar="PYTHON")
    parser.add_argument("--tools", default=".cache/uv", help="for uv; default: %(default)s")
    options = parser.parse_args()
    found = find(options.wanted, options.tools)
    if found is None:
        say(f"expected Python 3.10 to 3.12 for the server, got none: {describe(options.wanted)}")
        say(
            "Ubuntu, from ppa:deadsnakes/ppa: apt-get install python3.12-venv libpython3.12; "
            "Debian: apt-get install python3-venv, and a network in which uv finds its Pythons"
        )
        return 1
    print(os.path.abspath(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
