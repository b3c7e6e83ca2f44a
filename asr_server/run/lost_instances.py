"""The instances of Python models, each a process of its own that may die while the server lives."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

from asr_server.run.control import ModelControl
from asr_server.run.installation import TritonServerError
from asr_server.run.processes import kill_process, stub_processes


class ModelInstances:
    """Which instances a server has, and which of them it has lost.

    Triton goes on reporting itself, and a model whose process has died, as ready, while every
    request to the model fails.

    Args:
        pid: of a server that is ready; None of one that has no instances yet.
    """

    def __init__(self, pid: int | None = None) -> None:
        self._known = set() if pid is None else set(stub_processes(pid).values())
        self._unloaded: set[str] = set()  # models that somebody has unloaded

    def lost(self, instances: Collection[str], control: ModelControl) -> list[str]:
        """Return the instances that are gone though their model is ready.

        Args:
            instances: those that are there, such as `vad_0_0`.
            control: of the server.
        """
        alive = set(instances)
        gone = self._known - alive
        self._known |= alive
        if not gone:
            self._unloaded.clear()
            return []
        try:
            index = control.index()
        except TritonServerError:
            return []  # the server itself has died, or is busy: the next look tells
        ready = {entry["name"] for entry in index if entry.get("state") == "READY"}
        # A model that was unloaded and is back may have fewer instances than it had. If it has
        # none at all, they have died before anybody looked.
        fewer = self._unloaded & ready & {_model_of(instance) for instance in alive}
        self._known -= {instance for instance in gone if _model_of(instance) in fewer}
        gone &= self._known
        self._unloaded = {_model_of(instance) for instance in gone} - ready
        return sorted(instance for instance in gone if _model_of(instance) in ready)

    def reload(
        self, lost: Sequence[str], pid: int, control: ModelControl, timeout_s: float
    ) -> None:
        """Load the models of lost instances anew, and no others.

        The server must have been started with `model_control_mode` "explicit".

        Raises:
            TritonServerError: one cannot be loaded, or not in time.
        """
        for model in sorted({_model_of(instance) for instance in lost}):
            before = [
                stub
                for stub, instance in stub_processes(pid).items()
                if _model_of(instance) == model
            ]
            # A model of which no file has changed is not loaded anew while it is there. What
            # chains it, Triton takes away and brings back by itself.
            control.unload(model, timeout_s)
            control.load(model, timeout_s)
            # Triton lets go of the old instances when all of their requests are answered: those
            # that had been given to the lost process never are, and its siblings would stay.
            for stub in before:
                kill_process(stub)
        self._known = set(stub_processes(pid).values())
        models = {_model_of(instance) for instance in self._known}
        if missing := [each for each in lost if _model_of(each) not in models]:
            raise TritonServerError(f"{', '.join(missing)} did not come back")


def _model_of(instance: str) -> str:
    """Return the model of an instance such as `vad_0_0`."""
    return re.sub(r"_\d+_\d+$", "", instance)
