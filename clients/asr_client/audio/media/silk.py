"""SILK v3, the voice messages of WeChat and QQ, which ffmpeg does not read.

The package `silk-python` does (`pip install triton-asr[silk]`). It runs in a process of its own as
ffmpeg does: a decoder of messages from anywhere is not let into this one.
"""

from __future__ import annotations

import importlib.util
import sys
from pathlib import Path

from ...errors import AudioError
from ..samples import PcmFormat

MAGIC = (b"#!SILK_V3", b"\x02#!SILK_V3")  # the second is Tencent's
FORMAT = PcmFormat("s16le", 24_000, 1)  # the codec's highest rate

_SCRIPT = """
import sys, pysilk
print("[silk] n:0 pts_time:0", file=sys.stderr, flush=True)
with open(sys.argv[1], "rb") as file:
    try:
        pysilk.decode(file, sys.stdout.buffer, 24000)
    except pysilk.SilkError as error:
        print(f"[error] SILK: {error}", file=sys.stderr)
"""


def silk_command(path: Path) -> list[str]:
    """Return the arguments that make Python write a file's samples, in `FORMAT`, to its stdout.

    Raises:
        AudioError: the package is not there.
    """
    if importlib.util.find_spec("pysilk") is None:
        raise AudioError(
            f"{path.name}: a SILK voice message needs the package silk-python; got none: "
            "pip install triton-asr[silk]"
        )
    return [sys.executable, "-I", "-c", _SCRIPT, str(path)]
