"""One machine, simulated: the processes that a request passes, and Triton's batcher between them.

A request takes processor time of the one that sends it, of `tritonserver`, of the front end and of
the scoring; each of these but `tritonserver` is one process or some, which do one thing at a time,
in the order in which things come. Between them stands the encoder: whenever it is free for a run it
takes all that waits, up to its largest batch, for a time that grows with the rows. That cores are
shared is left out: a machine whose processor is the limit is not described by this.
"""

from __future__ import annotations

import heapq
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import simpy

Told = Callable[[bool], None]
"""Is told whether a request was answered; it was not where its machine died."""


@dataclass(frozen=True)
class Run:
    """How long the encoder's runs take; where there are several at a time, each beside the others.

    Attributes:
        fixed_s: any.
        row_s: more, for each row.
        max_batch: rows at most.
        at_a_time: runs.
        second_s: more, for each second of audio in the rows.
    """

    fixed_s: float
    row_s: float
    max_batch: int
    at_a_time: int = 1
    second_s: float = 0.0

    def seconds(self, rows: int, audio_s: float) -> float:
        """Return the time of a run."""
        return self.fixed_s + self.row_s * rows + self.second_s * audio_s


@dataclass(frozen=True)
class MachineSpec:
    """What a machine was measured to take.

    Attributes:
        before_s, after_s: processor time of each process that a request passes before and behind
            the encoder, for a second of audio. Names in `many_threads` do many things at a time.
        run: of the encoder.
        passing_s: that a request is on its way between processes, and nothing else is done.
        processes: how many there are of some name, where it is not one.
    """

    before_s: dict[str, float]
    after_s: dict[str, float]
    run: Run
    passing_s: float = 0.0
    processes: Mapping[str, int] = field(default_factory=dict)
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
        self._free_at: dict[str, list[float]] = {}  # of each process of a name
        self._waiting: deque[_Request] = deque()
        self._under_way: set[_Request] = set()
        self._running = 0

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
        free_at = self._free_at.setdefault(name, [0.0] * self._spec.processes.get(name, 1))
        heapq.heapreplace(free_at, done_s := max(at_s, free_at[0]) + cost_s)
        return done_s

    def _wait(self, request: _Request) -> None:
        if request in self._under_way:
            self._waiting.append(request)
            if self._running < self._spec.run.at_a_time:
                self._run()

    def _run(self) -> None:
        """Take what waits."""
        rows = min(len(self._waiting), self._spec.run.max_batch)
        if not rows:
            return
        self._running += 1
        batch = [self._waiting.popleft() for _ in range(rows)]
        self.batches.append(rows)
        run_s = self._spec.run.seconds(rows, sum(request.audio_s for request in batch))
        self._at(self._env.now + run_s, lambda: self._hand_over(batch))

    def _hand_over(self, batch: list[_Request]) -> None:
        self._running -= 1
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
