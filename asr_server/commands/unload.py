"""Unloads models of a server that runs here; what is under way is finished.

    triton-asr-server unload punctuation-online

A name is that of a model, or of a kind of models. The models that work together are unloaded
together.
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_server.commands.model_control import change_models, unload


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    return change_models(arguments, prog, __doc__, unload)
