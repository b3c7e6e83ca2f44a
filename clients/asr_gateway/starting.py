"""Starts a gateway, or says what to install where it is missing."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence

from asr_contract.entry import quick_end

EXIT_USAGE = 2  # as argparse

# What `triton-asr[gateway]` brings to serve with. The rest of it (ffmpeg, grammars for figures) is
# asked for when it is needed.
_PACKAGES = ("prometheus_client", "python_multipart", "starlette", "uvicorn", "websockets")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a gateway until SIGINT or SIGTERM.

    Returns:
        the exit status; 2 for wrong options, and where packages are missing.
    """
    with quick_end():
        missing = [name for name in _PACKAGES if not _can_import(name)]
        if not missing:
            from .service import main as run
    if missing:
        print(
            f"triton-asr-gateway: error: {', '.join(missing)} cannot be imported; install them "
            'with pip install "triton-asr[gateway]"',
            file=sys.stderr,
        )
        return EXIT_USAGE
    return run(arguments)


def _can_import(name: str) -> bool:
    try:
        importlib.import_module(name)
    except ImportError:
        return False
    return True
