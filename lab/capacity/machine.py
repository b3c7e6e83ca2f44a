"""One machine, simulated: the processes that a request passes, and Triton's batcher between them.

A request takes processor time of the one that sends it, of `tritonserver`, of the front end and of
the scoring; each of these but `tritonserver` is one process, which does one thing at a time, in the
order in which things come. Between them stands the encoder: whenever it is free it takes all that
waits, up to its largest batch, for a time that grows with the rows. That cores are shared is left
out: a machine whose processor is the limit is not described by this.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

import simpy

Told = Callable[[bool], None]
"""Is told whether a request was answered; it was not where its machine died."""


@dataclass(frozen=True)
class Run:
    """Time of a run of the encoder: `fixed_s`, and `row_s` for each row of it."""

    fixed_s: float
    row_s: float
    max_batch: int

    def seconds(self, rows: int) -> float:
        """Return the time of a run."""
        return self.fixed_s + self.row_s * rows


@dataclass(frozen=True)
class MachineSpec:
    """What a machine was measured to take.

    Attributes:
        before_s, after_s: processor time of each process that a request passes before and behind
            the encoder, for a second of audio. Names in `many_threads` do many things at a time.
        run: of the encoder.
        passing_s: that a request is on its way between processes, and nothing else is done.
    """

    before_s: dict[str, float]
    after_s: dict[str, float]
    run: Run
    passing_s: float = 0.0
    many_threads: tuple[str, ...] = ("tritonserver",)


@dataclass(eq=False, slots=True)
class _Request:
    audio_s: float
    told: Told


class Machine:
    """A machine at work.

    Args:
        env: the simulation's clock.
        spec: what it takes.

    Attributes:
        batches: rows of each run so far.
    """

    def __init__(self, env: simpy.Environment, spec: MachineSpec) -> None:
        self._env = env
        self._spec = spec
        self.batches: list[int] = []
        self._free_at: dict[str, float] = {}  # of each process
        self._waiting: deque[_Request] = deque()
        self._under_way: set[_Request] = set()
        self._is_running = False

    def serve(self, audio_s: float, told: Told) -> None:
        """Answer one request, and tell when it is answered."""
        request = _Request(audio_s, told)
        self._under_way.add(request)
        at_s = self._env.now
        for name, cost_s in self._spec.before_s.items():
            at_s = self._pass(name, cost_s * audio_s, at_s)
        self._at(at_s + self._spec.passing_s, lambda: self._wait(request))

    def die(self) -> None:
        """Lose all that is under way. What serves after it is another machine."""
        lost, self._under_way = self._under_way, set()
        for request in lost:
            request.told(False)

    def _pass(self, name: str, cost_s: float, at_s: float) -> float:
        """Return when a process has done its part of what comes to it at a time."""
        if name in self._spec.many_threads:
            return at_s + cost_s
        self._free_at[name] = max(at_s, self._free_at.get(name, 0.0)) + cost_s
        return self._free_at[name]

    def _wait(self, request: _Request) -> None:
        if request in self._under_way:
            self._waiting.append(request)
            if not self._is_running:
                self._run()

    def _run(self) -> None:
        """Take what waits."""
        rows = min(len(self._waiting), self._spec.run.max_batch)
        self._is_running = rows > 0
        if not rows:
            return
        batch = [self._waiting.popleft() for _ in range(rows)]
        self.batches.append(rows)
        self._at(self._env.now + self._spec.run.seconds(rows), lambda: self._hand_over(batch))

    def _hand_over(self, batch: list[_Request]) -> None:
        for request in batch:
            at_s = self._env.now
            for name, cost_s in self._spec.after_s.items():
                at_s = self._pass(name, cost_s * request.audio_s, at_s)
            self._at(at_s, lambda request=request: self._answered(request))  # type: ignore[misc]
        self._run()

    def _answered(self, request: _Request) -> None:
        if request in self._under_way:
            self._under_way.discard(request)
            request.told(True)

    def _at(self, when_s: float, do: Callable[[], None]) -> None:
        self._env.timeout(max(when_s - self._env.now, 0.0)).callbacks.append(lambda _: do())
