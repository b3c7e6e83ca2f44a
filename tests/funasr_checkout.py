"""Files of FunASR as it is published, which are run as they are and not kept here."""

from __future__ import annotations

import os
from pathlib import Path

import pytest


def funasr_file(*parts: str) -> Path:
    """Return a file or folder of the checkout that the variable FUNASR_DIR names.

    Without it the test fails: who asks for this test wants to know.
    """
    checkout = os.environ.get("FUNASR_DIR")
    if checkout is None:
        pytest.fail("expected FUNASR_DIR to name a checkout of github.com/modelscope/FunASR")
    path = Path(checkout, *parts)
    if not path.exists():
        pytest.fail(f"FUNASR_DIR: expected {path}, which does not exist")
    return path
