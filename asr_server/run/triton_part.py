"""A `tritonserver` as a part of what serves."""

from __future__ import annotations

import time
from collections.abc import Collection
from pathlib import Path

from asr_server.run.supervision import READY_TIMEOUT_S
from asr_server.run.triton_server import TritonServer
from asr_server.sockets import models_held

_LOOK_S = 1.0


class TritonPart:
    """`parts.Part` of a server that was started with `explicit` control of models.

    Args:
        server: what runs.
        models: those it is to load, to tell how far it is.
        folder: where commands find it that load and unload its models.
    """

    name = "tritonserver"
    start_timeout_s = READY_TIMEOUT_S
    stop_timeout_s = 4.0
    drains = False  # its models cannot ask one another any more once it stops: doors drain

    def __init__(self, server: TritonServer, models: Collection[str], folder: Path) -> None:
        self._server = server
        self._folder = folder
        self._models = models
        self._looked_s = 0.0
        self._answers = False

    def start(self) -> None:
        """Start it."""
        self._answers = False
        self._server.start()

    def is_running(self) -> bool:
        """As `Part.is_running`."""
        return self._server.is_running()

    def is_ready(self) -> bool:
        """As `Part.is_ready`; asks once a second."""
        if time.monotonic() - self._looked_s > _LOOK_S or not self._answers:
            self._answers = self._server.is_ready()
            self._looked_s = time.monotonic()
        if not self._answers:
            self._server.look_after_loading()
        return self._answers

    def progress(self) -> str:
        """As `Part.progress`."""
        loaded = self._server.loaded_models()
        return f"loading models: {len(loaded)} of {max(len(self._models), len(loaded))}"

    def reason_for_ending(self) -> str:
        """As `Part.reason_for_ending`."""
        return self._server.reason_for_ending()

    def has_crashed(self) -> bool:
        """As `Part.has_crashed`."""
        return self._server.has_crashed()

    def lost(self) -> list[str]:
        """As `Part.lost`: instances of models whose process has died."""
        with models_held(self._folder, wait=False) as held:
            if held:
                return self._server.lost_models()
        self._server.look_after_loading()  # a command loads models
        return []

    def mend(self, lost: list[str]) -> None:
        """As `Part.mend`: the models of these instances are loaded anew, and no others."""
        with models_held(self._folder):
            self._server.reload(lost, READY_TIMEOUT_S)

    def drain(self) -> None:
        """As `Part.drain`; it does not."""

    def stop(self, at_once: bool = False) -> None:
        """As `Part.stop`."""
        self._server.stop(0.0 if at_once else self.stop_timeout_s)
