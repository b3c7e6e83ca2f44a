"""Requests of sequences, answered at once or by several workers."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from typing import Any, Generic, TypeVar

import triton_python_backend_utils as pb_utils

from asr_core.sequences import SequenceDispatcher

Asked = TypeVar("Asked")


class SequenceAnswers(Generic[Asked]):
    """Answers the requests of a sequence model.

    One worker is Triton's own: while it is at a batch the next one gathers in Triton, and the
    responses of a batch go back together. What several workers answer is sent one by one, and each
    wakes a thread of the server, which for many streams costs as much as the search itself.

    Args:
        answer: the responses to requests of different sequences.
        workers: batches at a time.
        max_cost: of a worker's batch, where there are several.
        cost: of a request; 0 needs no worker.
        key: of a request's sequence.
    """

    def __init__(
        self,
        answer: Callable[[Sequence[Asked]], list[Any]],
        workers: int,
        max_cost: int,
        cost: Callable[[Asked], int],
        key: Callable[[Asked], Hashable],
    ) -> None:
        self._answer = answer
        self._key = key
        self._dispatcher: SequenceDispatcher[tuple[Asked, Any]] | None = None
        if workers > 1:
            self._dispatcher = SequenceDispatcher(
                self._send, workers, max_cost, lambda job: cost(job[0])
            )

    def execute(self, requests: Sequence[Any], asked: Sequence[Asked]) -> list[Any] | None:
        """Return what `execute` of the model returns.

        Args:
            requests: Triton's.
            asked: what was read from each.
        """
        if self._dispatcher is None:
            return self._answer(asked)
        senders = [request.get_response_sender() for request in requests]
        jobs = zip(asked, senders, strict=True)
        self._dispatcher.submit([(self._key(job[0]), job) for job in jobs])
        return None

    def close(self) -> None:
        """Let the workers finish."""
        if self._dispatcher is not None:
            self._dispatcher.close()

    def _send(self, jobs: Sequence[tuple[Asked, Any]]) -> None:
        responses = self._answer([asked for asked, _ in jobs])
        for (_, sender), response in zip(jobs, responses, strict=True):
            sender.send(response, flags=pb_utils.TRITONSERVER_RESPONSE_COMPLETE_FINAL)
