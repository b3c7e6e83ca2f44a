"""Workers of an archive on a Ray cluster: processes that each have a client of a server.

Nothing is kept by them: what a worker has under way when it dies is given to another, and what the
run has under way when it dies is left for the next.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from typing import Any

from ...blocking.client import Client
from ...errors import ClientClosed
from ...storage import temporary_folder
from ..common import UsageError
from ..crew import TURN_S
from ..recovery import FOR_ALL, ServerStayedAway
from .manifest import Entry
from .settling import Ended, Lost, Settled, Task
from .worker import Worker, WorkOrder

LOCAL = "local"
RAY_EXTRA = 'pip install "triton-asr[ray]"'

# A node that fails at once is not tried without end, one that has joined is noticed by then.
LOOK_S = 10.0
_MOST_FAILED_STARTS = 10  # in turn


class RemoteWorker:
    """What an actor is: a worker with a client of its own, in a process of its own."""

    def __init__(self, order: WorkOrder) -> None:
        self._folder = temporary_folder()
        client = Client(order.url, timeout_s=order.timeout_s, ca_file=order.ca_file)
        self._worker = Worker(client, order, self._folder.name)

    def ready(self) -> None:
        """Return when the process is up."""

    def settle(self, entry: Entry) -> Settled | Exception:
        """Recognise a recording; return, not raise, what is wrong for more than this one."""
        try:
            return self._worker.settle(entry)
        except (*FOR_ALL, ClientClosed) as error:
            return error


@dataclass
class _Hand:
    """A worker as the run knows it.

    Attributes:
        actor: Ray's handle.
        node: the id of its node, where it must be one; None where any will do.
        is_ready: whether its process has answered.
        under_way: recordings that it has.
        lacks_server: whether it was ended because its server stayed away.
    """

    actor: Any
    node: str | None
    is_ready: bool = False
    under_way: int = 0
    lacks_server: bool = False


@dataclass
class _Places:
    """Where workers are wanted: so many somewhere, or one on each node.

    Attributes:
        count: somewhere; None for each node.
        rests: node (None somewhere) → until when nothing is started there.
    """

    count: int | None
    rests: dict[str | None, float] = field(default_factory=dict)

    def missing(self, hands: list[_Hand], nodes: list[str], now: float) -> list[str | None]:
        """Return where workers are to be started."""
        if now < self.rests.get(None, 0.0):
            return []
        if self.count is not None:
            return [None] * (self.count - len(hands))
        taken = {hand.node for hand in hands}
        return [node for node in nodes if node not in taken and now >= self.rests.get(node, 0.0)]


class RayCrew:
    """Gives recordings to workers of a cluster; `ray_crew` makes it.

    Args:
        ray: the module, connected to a cluster.
        order: what is to be done.
        concurrency: recordings under way at a worker.
        count: of the workers; None for one on each node, which takes its node's own server if
            the URL of the order names 127.0.0.1.
    """

    def __init__(self, ray: Any, order: WorkOrder, concurrency: int, count: int | None) -> None:
        self._ray = ray
        self._order = ray.put(order)
        self._concurrency = concurrency
        self._actor = ray.remote(RemoteWorker)
        self._places = _Places(count)
        self._server_rest_s = max(order.server_wait_s, LOOK_S)
        self._hands: list[_Hand] = []
        self._under_way: dict[Any, tuple[_Hand, Task]] = {}
        self._starting: dict[Any, _Hand] = {}
        self._looked_at = -LOOK_S
        self._failed_starts = 0
        self._start_missing()

    @property
    def has_room(self) -> bool:
        """Whether a worker that is up has room."""
        return self._freest() is not None

    @property
    def is_idle(self) -> bool:
        """Whether nothing is under way."""
        return not self._under_way

    def begin(self, item: Task) -> None:
        """Give a recording to the worker that has fewest."""
        hand = self._freest()
        if hand is None:
            raise RuntimeError("expected a worker with room; there is none")
        hand.under_way += 1
        self._under_way[hand.actor.settle.remote(item.entry)] = hand, item

    def wait(self) -> list[Ended]:
        """Return what ended; start workers in the place of those that are gone.

        Raises:
            ServerStayedAway: no worker has a server any more.
            Exception: what is wrong for every recording.
        """
        self._start_missing()
        references = [*self._under_way, *self._starting]
        if not references:
            time.sleep(TURN_S)
            return []
        self._ray.wait(references, num_returns=1, timeout=TURN_S)
        done, _ = self._ray.wait(references, num_returns=len(references), timeout=0)
        return [ended for reference in done for ended in self._ended(reference)]

    def close(self) -> None:
        """End the workers."""
        for hand in self._hands:
            self._end(hand)

    def _freest(self) -> _Hand | None:
        free = [
            hand for hand in self._hands if hand.is_ready and hand.under_way < self._concurrency
        ]
        return min(free, key=lambda hand: hand.under_way, default=None)

    def _ended(self, reference: Any) -> list[Ended]:
        """Return how what a reference stands for ended; nothing for a worker that is up now."""
        starting = self._starting.pop(reference, None)
        hand, task = self._under_way.pop(reference, (starting, None))
        if hand is None:  # of a worker that was given up
            return []
        try:
            outcome = self._ray.get(reference)
        except self._ray.exceptions.RayError as error:
            reason = f"worker lost: {_first_line(error)}"
            if task is not None:
                self._give_up(hand)
                return [Ended(task, Lost(reason, may_be_the_reason=not hand.lacks_server))]
            self._give_up(hand, LOOK_S)
            self._failed_starts += 1
            if self._failed_starts == _MOST_FAILED_STARTS:
                raise ServerStayedAway(f"no worker can be started: {_first_line(error)}") from error
            return []
        if task is None:
            hand.is_ready = True
            self._failed_starts = 0
            return []
        hand.under_way -= 1
        if isinstance(outcome, ServerStayedAway):
            hand.lacks_server = True
            self._give_up(hand, self._server_rest_s)
            if not self._hands:
                raise outcome
            return [Ended(task, Lost(str(outcome), may_be_the_reason=False))]
        if isinstance(outcome, Exception):
            raise outcome
        return [Ended(task, outcome)]

    def _give_up(self, hand: _Hand, rest_s: float = 0.0) -> None:
        """End a worker; what else it has under way ends as lost."""
        if hand not in self._hands:
            return
        self._hands.remove(hand)
        if rest_s:
            self._places.rests[hand.node] = time.monotonic() + rest_s
        self._looked_at = -LOOK_S
        self._end(hand)

    def _end(self, hand: _Hand) -> None:
        with suppress(self._ray.exceptions.RayError):
            self._ray.kill(hand.actor)

    def _start_missing(self) -> None:
        """Start workers where there should be some, now and then."""
        now = time.monotonic()
        if now - self._looked_at < LOOK_S:
            return
        self._looked_at = now
        nodes = [node["NodeID"] for node in self._ray.nodes() if node["Alive"]]
        for node in self._places.missing(self._hands, nodes, now):
            options: dict[str, Any] = {"num_cpus": 1, "scheduling_strategy": "SPREAD"}
            if node is not None:
                affinity = self._ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy
                options = {"num_cpus": 0, "scheduling_strategy": affinity(node, soft=False)}
            actor = self._actor.options(max_concurrency=self._concurrency, **options)
            hand = _Hand(actor.remote(self._order), node)
            self._hands.append(hand)
            self._starting[hand.actor.ready.remote()] = hand


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]


@contextmanager
def ray_crew(
    address: str, order: WorkOrder, concurrency: int, count: int | None
) -> Iterator[RayCrew]:
    """Connect to a cluster, and give workers of it; leaving ends them.

    Args:
        address: of a cluster, "auto" for the one of this machine, "local" to start one here.
        order: what is to be done.
        concurrency: recordings under way at a worker.
        count: of the workers; None for one on each node.

    Raises:
        UsageError: Ray is not installed, or there is no cluster.
    """
    try:
        import ray
        import ray.util.scheduling_strategies
    except ImportError as error:
        raise UsageError(f"--ray: needs Ray: {RAY_EXTRA}") from error
    options: dict[str, Any] = {"address": address}
    if address == LOCAL:
        # It is this command's own, seen by this machine only, and nobody hears of it.
        os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
        cpus = max(count or 1, os.cpu_count() or 1)
        options |= {"num_cpus": cpus, "include_dashboard": False, "_node_ip_address": "127.0.0.1"}
    try:
        ray.init(logging_level="WARNING", **options)
    except (ConnectionError, ValueError, RuntimeError) as error:
        raise UsageError(f"--ray {address}: {error}") from error
    try:
        crew = RayCrew(ray, order, concurrency, count)
        try:
            yield crew
        finally:
            crew.close()
    finally:
        ray.shutdown()
