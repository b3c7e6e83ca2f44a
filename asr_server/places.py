"""Where what comes along lies, and where this installation keeps what it installs and writes.

A checkout serves from its own model repositories. A wheel brings them as `asr_server/shipped`, to
be read only; they are copied to a folder of the user's (`asr_server.models.home`).
"""

from __future__ import annotations

import os
from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent
_SHIPPED = _PACKAGE / "shipped"

IS_CHECKOUT = not _SHIPPED.is_dir()
ROOT = _PACKAGE.parent if IS_CHECKOUT else _SHIPPED
"""What comes along: model repositories without weights, embedded models, the backend."""

EMBEDDED_MODELS = ROOT / "embedded_models"
SAMPLES = EMBEDDED_MODELS / "samples"
ONNXRUNTIME_BACKEND = ROOT / "backends" / "onnxruntime"

HOME_VARIABLE = "TRITON_ASR_HOME"


def home() -> Path:
    """Return the folder with the model repositories that are served and filled.

    `TRITON_ASR_HOME` names it; else it is the checkout itself, and without one `triton-asr` among
    the user's data (XDG Base Directory Specification).
    """
    if named := os.environ.get(HOME_VARIABLE):
        return Path(named).expanduser().resolve()
    if IS_CHECKOUT:
        return ROOT
    data = os.environ.get("XDG_DATA_HOME", "")
    # relative ones are to be ignored, says the specification
    folder = Path(data) if data.startswith("/") else Path.home() / ".local" / "share"
    return folder / "triton-asr"


def store() -> Path:
    """Return the folder of the models that are kept, installed or not."""
    return _written() / "models"


def log_file(name: str) -> Path:
    """Return where a server's log of this name goes."""
    return _written() / name


def _written() -> Path:
    folder = home()
    return folder / ".cache" if folder == ROOT else folder
