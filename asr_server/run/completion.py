"""Whether Triton has to complete configurations of models, which costs a second start of each.

To ask a Python model for what its configuration leaves out, Triton starts a process of it that
ends again, before the one that serves; without a word of how many there are to ask.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from asr_server.models.config_blocks import CONFIG

AS_WRITTEN = "--disable-auto-complete-config"
"""Triton takes all configurations as they are written."""

_REMARK = re.compile(r"#.*")
_NEEDED = (
    re.compile(r"^\s*(?:backend|platform)\s*:", re.MULTILINE),
    re.compile(r"^\s*(?:batch_)?input\s*[:{\[]", re.MULTILINE),
    re.compile(r"^\s*output\s*[:{\[]", re.MULTILINE),
)


def completion_arguments(repositories: Sequence[Path]) -> list[str]:
    """Return `AS_WRITTEN` for Triton's command line, or nothing if a model needs completion.

    Args:
        repositories: folders of models. One that is put there later is not completed either;
            those that are installed by us need not be.
    """
    models = [model for each in repositories for model in each.iterdir() if model.is_dir()]
    return [] if any(map(_needs_completion, models)) else [AS_WRITTEN]


def _needs_completion(model: Path) -> bool:
    """Tell whether there is a model whose configuration lacks something, or may be added to."""
    config = model / CONFIG
    if not any(model.glob("[0-9]*/[!.]*")):
        return False  # nothing that could be loaded
    if not config.is_file():
        return True
    text = _REMARK.sub("", config.read_text(encoding="utf-8", errors="replace"))
    if not all(pattern.search(text) for pattern in _NEEDED):
        return True
    files = (path.read_text(encoding="utf-8", errors="replace") for path in model.glob("*/*.py"))
    return any("auto_complete_config" in file for file in files)
