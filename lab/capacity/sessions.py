"""Live sessions on many servers: how evenly they lie, and what a death does to the others.

A session stays where it began. So what counts is how many the fullest server has, beside what one
was measured to carry; inside a server nothing is simulated here.
"""

from __future__ import annotations

from collections.abc import Generator
from dataclasses import dataclass

import numpy as np
import simpy


@dataclass(frozen=True)
class SessionsResult:
    """What came of it.

    Attributes:
        mean: sessions of a server.
        fullest: sessions of the fullest one, at any time.
        fullest_after_death: the same in the minute after a server died and its sessions went on
            elsewhere.
        resumed: sessions that did.
    """

    mean: float
    fullest: int
    fullest_after_death: int
    resumed: int


class Sessions:
    """Sessions that begin at random moments and last a while; half-way a server dies.

    Args:
        servers: how many.
        gateways: in front of them, each of which knows its own sessions only.
        per_server: sessions of each, on average.
        lasting_s: a session, on average.
        start_s: until the dead server is back.
        seed: of all that is chance.
    """

    def __init__(
        self,
        servers: int,
        gateways: int,
        per_server: int,
        lasting_s: float = 180.0,
        start_s: float = 24.0,
        seed: int = 0,
    ) -> None:
        self._random = np.random.default_rng(seed)
        self._env = simpy.Environment()
        self._servers, self._gateways = servers, gateways
        self._wanted = servers * per_server
        self._lasting_s, self._start_s = lasting_s, start_s
        self._open = np.zeros((gateways, servers), int)
        self._dead: int | None = None
        self._where: dict[int, tuple[int, int]] = {}  # of each session: gateway and server
        self._fullest = self._fullest_after = self._resumed = 0
        self._died_s = np.inf

    def run(self, seconds: float = 240.0) -> SessionsResult:
        """Begin with as many sessions as there are on average, and go on for a while."""
        for number in range(self._wanted):
            self._begin(number)
        self._fullest = 0  # only what comes of coming and going counts
        self._env.process(self._arrivals())
        self._env.process(self._death(seconds / 2))
        self._env.run(until=seconds)
        mean = self._wanted / self._servers
        return SessionsResult(mean, self._fullest, self._fullest_after, self._resumed)

    def _arrivals(self) -> Generator[simpy.Event, None, None]:
        number, pause_s = self._wanted, self._lasting_s / self._wanted
        while True:
            yield self._env.timeout(self._random.exponential(pause_s))
            self._begin(number)
            number += 1

    def _begin(self, number: int) -> None:
        gateway = int(self._random.integers(self._gateways))
        self._put(number, gateway)
        lasting = self._env.timeout(self._random.exponential(self._lasting_s))
        lasting.callbacks.append(lambda _: self._end(number))

    def _end(self, number: int) -> None:
        self._open[self._where.pop(number)] -= 1

    def _put(self, number: int, gateway: int) -> None:
        """Give a session to the server that has least of its gateway's."""
        rank = self._open[gateway] + self._random.random(self._servers) / 2
        if self._dead is not None:
            rank[self._dead] = np.inf
        server = int(rank.argmin())
        self._open[gateway, server] += 1
        self._where[number] = (gateway, server)
        has = int(self._open[:, server].sum())
        if self._env.now < self._died_s:
            self._fullest = max(self._fullest, has)
        elif self._env.now < self._died_s + 60:
            self._fullest_after = max(self._fullest_after, has)

    def _death(self, after_s: float) -> Generator[simpy.Event, None, None]:
        yield self._env.timeout(after_s)
        self._died_s, self._dead = self._env.now, 0
        moved = [number for number, (_, server) in self._where.items() if server == 0]
        self._resumed = len(moved)
        for number in moved:
            gateway, _ = self._where[number]
            self._open[gateway, 0] -= 1
            self._put(number, gateway)
        yield self._env.timeout(self._start_s)
        self._dead = None
