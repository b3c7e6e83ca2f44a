"""Checks that this machine can build the environment; names the Debian package of what is missing.

    python3 scripts/check_system.py [--install] [--tests]

Runs with the system's Python, before anything is installed, so it uses the standard library only.
"""

import argparse
import ctypes.util
import importlib.util
import os
import platform
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path

OLDEST, NEWEST = (3, 10), (3, 12)  # what the dependencies have wheels for
GLIBC = (2, 35)  # what the tritonserver in the nvidia-pytriton wheel was built against
LOCK_TIMEOUT_S = 600  # another apt-get, or unattended upgrades of a machine just started
VERSION = f"{sys.version_info[0]}.{sys.version_info[1]}"


def has_shared_library() -> bool:
    """Return whether libpython3.x.so.1.0, which Triton's stub is linked against, can be found."""
    name = f"libpython{VERSION}.so.1.0"
    folders = [Path(sys.base_prefix) / "lib", Path(sysconfig.get_config_var("LIBDIR") or "/")]
    return any((folder / name).exists() for folder in folders) or bool(
        ctypes.util.find_library(f"python{VERSION}")
    )


def missing_packages(for_tests: bool) -> list[str]:
    """Return the Debian packages that are missing.

    Args:
        for_tests: count the virtual sound card that the microphone is tested with, the browser
            for the gateway's page, and what checks alert rules.
    """
    missing = []
    if importlib.util.find_spec("ensurepip") is None:
        missing.append(f"python{VERSION}-venv")
    if not has_shared_library():
        missing.append(f"libpython{VERSION}")
    if for_tests:
        missing += missing_sound_packages() + missing_browser_packages()
        missing += [] if shutil.which("promtool") else ["prometheus"]
    return missing


def missing_sound_packages() -> list[str]:
    """Return what is missing of PulseAudio, ALSA's way to it, and PortAudio."""
    missing = []
    if shutil.which("pulseaudio") is None:
        missing.append("pulseaudio")
    if shutil.which("pactl") is None or shutil.which("paplay") is None:
        missing.append("pulseaudio-utils")
    if not list(Path("/usr/lib").glob("*/alsa-lib/libasound_module_pcm_pulse.so")):
        missing.append("libasound2-plugins")
    if ctypes.util.find_library("portaudio") is None:
        missing.append("libportaudio2")
    return missing


def missing_browser_packages() -> list[str]:
    """Return Debian's Chromium if there is no browser of its kind under any of their names.

    Ubuntu has it as a snap only; there the Makefile has Playwright download one.
    """
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    is_ubuntu = platform.freedesktop_os_release().get("ID") == "ubuntu"
    return [] if is_ubuntu or any(map(shutil.which, names)) else ["chromium"]


def unsuitable() -> str:
    """Say why no package can help, or ''."""
    if not OLDEST <= sys.version_info[:2] <= NEWEST:
        return (
            f"expected Python 3.10 to 3.12, got {VERSION} ({sys.executable}); "
            "choose another with: make PYTHON=python3.11"
        )
    libc, version = platform.libc_ver()
    if libc != "glibc" or tuple(map(int, version.split(".")[:2])) < GLIBC:
        return (
            f"expected glibc 2.35 or newer (Debian 12, Ubuntu 22.04), got {libc} {version}; "
            "use the Triton container instead, see README"
        )
    return ""


def main() -> int:
    """Run the command line; returns the exit status."""
    parser = argparse.ArgumentParser(description="Check what the environment needs.")
    parser.add_argument("--install", action="store_true", help="as root, install with apt-get")
    parser.add_argument("--tests", action="store_true", help="also what only the tests need")
    options = parser.parse_args()
    reason = unsuitable()
    if reason:
        print(f"check_system: {reason}", file=sys.stderr)
        return 1
    missing = missing_packages(options.tests)
    if missing and options.install and os.geteuid() == 0:
        install(missing)
        missing = missing_packages(options.tests)
    if missing:
        print(
            f"check_system: missing for Python {VERSION}; as root: "
            f"apt-get install {' '.join(missing)}",
            file=sys.stderr,
        )
        return 1
    return 0


def install(packages: list[str]) -> None:
    """Install packages by apt-get, which may have to wait for another program to finish.

    What then is still missing, the caller sees; apt-get has said why.
    """
    wait = ["-q", "-o", f"DPkg::Lock::Timeout={LOCK_TIMEOUT_S}"]
    # Lists that cannot be refreshed now may be fresh enough; update waits for no lock of lists.
    if subprocess.run(["apt-get", "update", *wait], check=False).returncode != 0:
        print("check_system: apt-get update failed; trying what apt knows", file=sys.stderr)
    command = ["apt-get", "install", *wait, "-y", "--no-install-recommends", *packages]
    if subprocess.run(command, check=False).returncode != 0:
        print(f"check_system: failed: {' '.join(command)}", file=sys.stderr)


if __name__ == "__main__":
    sys.exit(main())
