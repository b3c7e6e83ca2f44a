"""Loads models of a server that runs here; those that are loaded already, anew.

    triton-asr-server load sensevoice vad

A name is that of a model, or of a kind of models (`paraformer-online`). The models that work
together are loaded together.
"""

from __future__ import annotations

from collections.abc import Sequence

from asr_server.commands.model_control import change_models, load


def main(arguments: Sequence[str] | None = None, prog: str | None = None) -> int:
    """Run the command line; return the exit status."""
    return change_models(arguments, prog, __doc__, load)
