"""Many servers: requests that come by themselves, gateways that choose, servers that die.

A gateway gives a request to the server that has least of its own under way, and does not know what
the other gateways do. A server that dies loses what it has under way; each request is given to
another once. The gateways that lost something by it avoid it from then on, the others from their
next look at it, all until a look finds it back.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import simpy

from lab.capacity.calibration import audio_lengths_s
from lab.capacity.machine import Machine, MachineSpec

Steps = Generator[simpy.Event, None, None]

_WARM_UP_S = 0.6
_DEAD, _TRIFLE = 1e6, 1e-9


@dataclass(frozen=True)
class FleetPlan:
    """What is tried.

    Attributes:
        servers: how many.
        gateways: in front of them.
        load: requests that come, as a share of what the servers can answer at most.
        seconds: for which they come.
        deaths: of servers, one after another, evenly over the time.
        notice_s: until a gateway that lost nothing by a death knows of it, or of the return.
        start_s: until it is back.
        chooses: whether gateways choose, or give each request to any server.
    """

    servers: int
    gateways: int
    load: float
    seconds: float
    deaths: int = 0
    notice_s: float = 0.5
    start_s: float = 24.0
    chooses: bool = True


@dataclass(frozen=True)
class FleetResult:
    """What came of it.

    Attributes:
        requests: that were answered, but for those of the first moments.
        lost: that two servers died with.
        repeated: that were given to another.
        audio_per_s: seconds of audio that came per second.
        p50_s, p95_s, p99_s: latency.
        slowest_s: the same.
    """

    requests: int
    lost: int
    repeated: int
    audio_per_s: float
    p50_s: float
    p95_s: float
    p99_s: float
    slowest_s: float


class Fleet:
    """Servers and gateways at work.

    Args:
        spec: of each server.
        plan: what is tried.
        seed: of all that is chance.
    """

    def __init__(self, spec: MachineSpec, plan: FleetPlan, seed: int = 0) -> None:
        self._spec, self._plan = spec, plan
        self._random = np.random.default_rng(seed)
        self._env = simpy.Environment()
        self._machines = [Machine(self._env, spec) for _ in range(plan.servers)]
        # What a gateway has under way at each server; of equal ones the one that it has not asked
        # for longest is less by a trifle, at first any. One known to be dead has _DEAD more.
        self._rank = -_TRIFLE * self._random.random((plan.gateways, plan.servers))
        self._choices = 0
        self._is_dead = np.zeros(plan.servers, bool)
        self._latencies: list[float] = []
        self._lost = self._repeated = self._ended = 0

    def run(self) -> FleetResult:
        """Let the requests come, and wait for the last answer."""
        plan = self._plan
        lengths_s = audio_lengths_s(4096)
        mean_s = float(np.mean(lengths_s))
        per_s = plan.load * plan.servers * most_audio_per_s(self._spec) / mean_s
        count = int(per_s * plan.seconds)
        self._env.process(self._arrivals(count, per_s, lengths_s))
        if plan.deaths:
            self._env.process(self._deaths())
        while self._ended < count:
            self._env.step()
        p50, p95, p99, slowest = np.percentile(self._latencies, [50, 95, 99, 100])
        return FleetResult(
            len(self._latencies),
            self._lost,
            self._repeated,
            per_s * mean_s,
            float(p50),
            float(p95),
            float(p99),
            float(slowest),
        )

    def _arrivals(self, count: int, per_s: float, lengths_s: list[float]) -> Steps:
        pauses = self._random.exponential(1 / per_s, count)
        gateways = self._random.integers(self._plan.gateways, size=count)
        for number, (pause_s, gateway) in enumerate(zip(pauses, gateways, strict=True)):
            yield self._env.timeout(pause_s)
            self._send(gateway, lengths_s[number % len(lengths_s)], self._env.now)

    def _send(self, gateway: int, audio_s: float, begun_s: float, *, again: bool = False) -> None:
        """Give a request to a server, and to another if the first dies."""
        server = self._choice(gateway)
        self._rank[gateway, server] += 1

        def told(is_answered: bool) -> None:
            self._rank[gateway, server] -= 1
            if is_answered:
                if begun_s > _WARM_UP_S:
                    self._latencies.append(self._env.now - begun_s)
            elif not again:
                self._repeated += 1
                self._know(gateway, server)
                self._send(gateway, audio_s, begun_s, again=True)
                return
            else:
                self._lost += 1
            self._ended += 1

        if self._is_dead[server]:
            told(False)
        else:
            self._machines[server].serve(audio_s, told)

    def _choice(self, gateway: int) -> int:
        """Return a server that is not known to be dead: with least of this gateway's, or any."""
        rank = self._rank[gateway]
        if not self._plan.chooses:
            return int(self._random.choice(np.flatnonzero(rank < _DEAD)))
        server = int(rank.argmin())
        self._choices += 1
        rank[server] = round(rank[server]) + _TRIFLE * self._choices
        return server

    def _know(self, gateway: int, server: int) -> None:
        """Let a gateway know that a server is dead."""
        if self._rank[gateway, server] < _DEAD:
            self._rank[gateway, server] += _DEAD

    def _deaths(self) -> Steps:
        pause_s = self._plan.seconds / (self._plan.deaths + 1)
        for server in self._random.permutation(self._plan.servers)[: self._plan.deaths]:
            yield self._env.timeout(pause_s)
            self._env.process(self._death(int(server)))

    def _death(self, server: int) -> Steps:
        self._is_dead[server] = True
        dead, self._machines[server] = self._machines[server], Machine(self._env, self._spec)
        dead.die()
        yield self._env.timeout(self._plan.notice_s)
        for gateway in range(self._plan.gateways):
            self._know(gateway, server)
        yield self._env.timeout(self._plan.start_s - self._plan.notice_s)
        self._is_dead[server] = False
        yield self._env.timeout(self._plan.notice_s)
        self._rank[:, server] -= _DEAD


def most_audio_per_s(spec: MachineSpec) -> float:
    """Return what a machine answers with its batches always full, in seconds of audio per second.

    Either the encoder is the limit, or one of the processes around it.
    """
    run = spec.run
    mean_s = float(np.mean(audio_lengths_s(4096)))
    single = {**spec.before_s, **spec.after_s}
    busiest_s = max(
        cost / spec.processes.get(name, 1)
        for name, cost in single.items()
        if name not in spec.many_threads
    )
    rows_per_s = run.at_a_time * run.max_batch / run.seconds(run.max_batch, run.max_batch * mean_s)
    limits = [rows_per_s * mean_s]
    if busiest_s:
        limits.append(1 / busiest_s)
    return min(limits)
