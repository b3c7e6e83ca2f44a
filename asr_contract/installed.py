"""Which version of this project is installed."""

from __future__ import annotations

from importlib import metadata


def installed_version() -> str:
    """Return the version, for a command's `--version`."""
    try:
        return metadata.version("triton-asr")
    except metadata.PackageNotFoundError:
        return "from a checkout that is not installed"
