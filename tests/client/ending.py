"""How long a call may take to end, and what it ends with."""

from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from asr_client import AsrError

TIMEOUT_S = 0.7
# What a loaded machine may add before the exception is out; a call that has no end fails anyway.
SLACK_S = 60
LONG_S = 600  # a timeout that must not be waited for
WAV = np.zeros(16000, np.float32)


def error_of(call: Callable[[], object], within_s: float = TIMEOUT_S + SLACK_S) -> AsrError:
    """The exception of a call, which must be ours and must come in time."""
    start = time.monotonic()
    with pytest.raises(AsrError) as caught:
        call()
    assert time.monotonic() - start < within_s
    return caught.value
