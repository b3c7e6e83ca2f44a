"""Gives the recordings of an archive to a crew and settles each of them once."""

from __future__ import annotations

import sys
import time
from collections import Counter, deque
from collections.abc import Iterator, Sequence

from tqdm import tqdm

from ..crew import Crew, run_all
from ..names import printable
from ..output import OutputError
from ..recovery import ATTEMPTS
from .ledger import Ledger
from .manifest import Entry
from .progress import Progress
from .settling import Done, Ended, Failed, Lost, Settled, Task

# How far others may be before one whose results have to come first: what waits is held in memory.
ORDER_WINDOW = 1_000


class Foreman:
    """Does what is left of an archive.

    Args:
        left: the recordings, in the order of the manifest.
        ledger: settles them.
        progress: counts them.
        in_order: whether results are written in the order of the manifest.
        commit_s: how often they are.
    """

    def __init__(
        self,
        left: Sequence[Entry],
        ledger: Ledger,
        progress: Progress,
        *,
        in_order: bool,
        commit_s: float,
    ) -> None:
        self._tasks: Iterator[Task] = (Task(index, entry) for index, entry in enumerate(left))
        self._ahead: Task | None = None
        self._again: deque[Task] = deque()
        self._alone: deque[Task] = deque()
        self._losses: Counter[int] = Counter()
        self._under_way = 0
        self._ledger = ledger
        self._progress = progress
        self._in_order = in_order
        self._waiting: dict[int, tuple[Task, Settled]] = {}
        self._next = 0
        self._commit_s = commit_s
        self._committed_s = time.monotonic()

    def run(self, crew: Crew[Task, Ended]) -> None:
        """Have all done.

        However it ends, unless by an error of the folder, what was settled is written.

        Raises:
            OutputError: the results cannot be written.
            Exception: what ends the whole run, such as a server that stays away.
        """
        try:
            run_all(crew, self._take, self._settle, self._look_about)
        except OutputError:
            raise
        except BaseException:
            self._ledger.commit()
            raise
        self._ledger.commit()

    def _take(self) -> Task | None:
        """Return what is next; None where nothing is, or it would be too far ahead."""
        task = self._next_task()
        self._under_way += task is not None
        return task

    def _next_task(self) -> Task | None:
        if self._again:
            return self._again.popleft()
        if self._ahead is None:
            self._ahead = next(self._tasks, None)
        task = self._ahead
        if task is not None and not (self._in_order and task.index >= self._next + ORDER_WINDOW):
            self._ahead = None
            return task
        return self._alone.popleft() if self._alone and not self._under_way else None

    def _settle(self, ended: Ended) -> None:
        """Settle a recording, or have it done again by another if its worker is gone.

        With a worker all that it had are lost. To tell the one that ended it from its neighbours
        each gets its last chance with nothing beside it.
        """
        task, outcome = ended.task, ended.outcome
        self._under_way -= 1
        if isinstance(outcome, Lost):
            self._losses[task.index] += outcome.may_be_the_reason
            losses = self._losses[task.index]
            if losses < ATTEMPTS:
                (self._alone if losses == ATTEMPTS - 1 else self._again).append(task)
                return
            outcome = Failed(f"given up after {losses} workers: {outcome.reason}")
        if not self._in_order:
            self._add(task, outcome)
            return
        self._waiting[task.index] = task, outcome
        while self._next in self._waiting:
            self._add(*self._waiting.pop(self._next))
            self._next += 1

    def _add(self, task: Task, outcome: Settled) -> None:
        self._ledger.add(task.entry, outcome)
        self._progress.settled(task.entry, outcome)
        shown = printable(task.entry.source.path)
        if isinstance(outcome, Failed):
            tqdm.write(f"{shown}: {outcome.error}", file=sys.stderr)
        if isinstance(outcome, Done):
            for warning in outcome.warnings:
                tqdm.write(f"{shown}: warning: {warning}", file=sys.stderr)

    def _look_about(self) -> None:
        """Write what was settled, if it is time."""
        now = time.monotonic()
        if now - self._committed_s >= self._commit_s or self._ledger.is_full:
            self._ledger.commit()
            self._committed_s = now
        self._progress.look_about()
