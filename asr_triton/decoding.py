"""How hotwords count in a model's search, as its parameters say."""

from __future__ import annotations

from pathlib import Path

from asr_core.decoding import HotwordSettings
from asr_triton.parameters import Parameters


def hotword_settings(parameters: Parameters, folder: Path | None = None) -> HotwordSettings:
    """Read `hotword_increment` and `max_hotwords`.

    Args:
        parameters: of the model that is being initialised.
        folder: holds the server's own hotwords, None for the model's.
    """
    return HotwordSettings(
        parameters.number("hotword_increment"), parameters.integer("max_hotwords"), folder
    )
