"""Several servers behind the interface of one.

A request goes to the server with most room. One that fails for the server's sake is repeated on
another, once. The requests of a sequence go where it began; when that server is lost, the sequence
is, and whoever has its audio may begin anew.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any, TypeVar

from numpy.typing import NDArray

from ..errors import AsrError, ConnectionFailed, ModelNotFound, SessionLimitReached
from ..protocol import InferRequest, ModelMetadata, SequenceStep
from ..results import ModelInfo
from ..streaming.protocol import opening_failure
from ..transport import (
    Endpoint,
    GrpcRequestStream,
    HttpRequestStream,
    RequestStream,
    Transport,
    is_outage,
)
from .addresses import may_be_several
from .members import Members
from .server import Server

T = TypeVar("T")


def transport_of(endpoints: Sequence[Endpoint], make: Callable[[Endpoint], Transport]) -> Transport:
    """Return the way to a server, or to several as one.

    Args:
        endpoints: of servers, or names that stand for some.
        make: makes the way to one server.
    """
    if len(endpoints) == 1 and not may_be_several(endpoints[0]):
        return make(endpoints[0])
    return Servers(endpoints, make)


def has_another(transport: Transport) -> bool:
    """Return whether what has failed on one server may be begun anew on another.

    Whether that is ready shows when it is asked: busy servers answer late that they are.
    """
    return isinstance(transport, Servers) and transport.has_several


class Servers:
    """`transport.Transport` over several servers."""

    def __init__(
        self, endpoints: Sequence[Endpoint], make: Callable[[Endpoint], Transport]
    ) -> None:
        self._endpoints = list(endpoints)
        self._make = make
        self._found: Members | None = None
        # Sequences that are open: their server, and the way to it when they began.
        self._sequences: dict[int, tuple[Server, Transport]] = {}
        grpc = all(endpoint.uses_grpc for endpoint in endpoints)
        self.max_in_flight = (GrpcRequestStream if grpc else HttpRequestStream).max_in_flight

    @property
    def _members(self) -> Members:
        if self._found is None:  # belongs to the event loop that runs at the first call
            self._found = Members(self._endpoints, self._make)
        return self._found

    @property
    def used(self) -> dict[str, bool]:
        """Whether each server is given work, by its URL: one that is lost is left out."""
        return {server.endpoint.url: server.is_usable for server in self._members.all}

    @property
    def has_several(self) -> bool:
        """Whether there is more than one server."""
        return len(self._members.all) > 1

    @property
    def has_ready(self) -> bool:
        """Whether a server said just now that it is ready."""
        return any(server.is_ready for server in self._members.all)

    async def infer(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name."""
        step = request.step
        if step is None or step.start:
            return await self._anywhere(
                request.model_name,
                timeout_s,
                lambda transport, left_s: transport.infer(request, left_s),
                step,
            )
        return await self.in_sequence(
            request.model_name, step, lambda transport: transport.infer(request, timeout_s)
        )

    async def in_sequence(
        self, model: str, step: SequenceStep, call: Callable[[Transport], Awaitable[T]]
    ) -> T:
        """Ask something in a sequence, of the server where it began.

        Raises:
            ConnectionFailed: among others; that server was given up.
        """
        entry = self._sequences.get(step.sequence_id)
        if entry is None:
            raise ConnectionFailed(f"model {model!r}: the sequence is not open on any server")
        server, transport = entry
        try:
            server.check_same(transport)
            return await server.ask(model, call)
        except ModelNotFound as error:  # it was there when the sequence began: the server leaves
            self._forget(step)
            raise ConnectionFailed(f"the server has let go of a sequence ({error})") from error
        finally:
            if step.end:
                self._forget(step)

    async def _anywhere(
        self,
        model: str,
        timeout_s: float,
        call: Callable[[Transport, float], Awaitable[T]],
        step: SequenceStep | None = None,
    ) -> T:
        """Ask a server, and another if that fails for its own sake; all within the time."""
        deadline_s = time.monotonic() + timeout_s
        await self._members.found()
        server = self._members.choose(model)
        if server is None:
            raise ConnectionFailed("no server is known")
        try:
            return await self._of(server, model, timeout_s, call, step)
        except AsrError as error:
            other = self._members.choose(model, other_than=server) if _may_pass(error) else None
            left_s = deadline_s - time.monotonic()
            if other is None or left_s <= 0:
                raise
            failure, was_usable = error, other.is_usable
        try:
            return await self._of(other, model, left_s, call, step)
        except AsrError as error:
            if not was_usable and is_outage(error):  # the first knew more of what is wrong
                raise failure from error
            raise

    async def _of(
        self,
        server: Server,
        model: str,
        timeout_s: float,
        call: Callable[[Transport, float], Awaitable[T]],
        step: SequenceStep | None,
    ) -> T:
        """Ask a server, where a sequence may begin."""
        if step is not None:
            self._forget(step)
            self._sequences[step.sequence_id] = server, server.transport
            server.sequences += 1
        try:
            return await server.ask(model, lambda transport: call(transport, timeout_s))
        except ModelNotFound:
            if step is not None:
                self._forget(step)
            raise
        finally:
            if step is not None and step.end:
                self._forget(step)

    def _forget(self, step: SequenceStep) -> None:
        """Note that a sequence is over."""
        if (entry := self._sequences.pop(step.sequence_id, None)) is not None:
            entry[0].sequences -= 1

    def open_stream(self) -> RequestStream:
        """Return a way for the requests of one sequence."""
        return SequenceStream(self)

    async def server_ready(self, timeout_s: float) -> bool:
        """Return whether one of the servers says that it is ready."""
        await self._members.found()
        if self.has_ready:
            return True
        return await self._one_of(self._members.all, lambda server: server.look(timeout_s))

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        """Return whether one of the servers that are ready says that this model is."""
        await self._members.found()
        servers = self._members.all
        ready = [server for server in servers if server.is_usable] or servers
        return await self._one_of(
            ready,
            lambda server: server.ask(name, lambda each: each.model_ready(name, timeout_s)),
        )

    async def model_metadata(self, name: str, timeout_s: float) -> ModelMetadata:
        """Return the names of a model's inputs and outputs."""
        return await self._anywhere(
            name, timeout_s, lambda transport, left_s: transport.model_metadata(name, left_s)
        )

    async def ready_models(self, timeout_s: float) -> list[ModelInfo]:
        """Return the models that a server lists as ready."""
        return await self._anywhere(
            "", timeout_s, lambda transport, left_s: transport.ready_models(left_s)
        )

    async def queue_ns(self, timeout_s: float) -> int:
        """Return how long all requests to one of the servers have waited in queues."""
        return await self._anywhere(
            "", timeout_s, lambda transport, left_s: transport.queue_ns(left_s)
        )

    async def close(self) -> None:
        """Close the connections; calls under way end with `ClientClosed`."""
        await self._members.close()

    async def _one_of(
        self, servers: Sequence[Server], ask: Callable[[Server], Awaitable[bool]]
    ) -> bool:
        """Return whether one of the servers says yes; the others are not waited for then.

        Raises:
            AsrError: none gives an answer.
        """
        asking = [asyncio.ensure_future(ask(server)) for server in servers]
        failure: AsrError | None = None
        said_no = False
        try:
            for answer in asyncio.as_completed(asking):
                try:
                    if await answer:
                        return True
                    said_no = True
                except AsrError as error:
                    failure = failure or error
        finally:
            for task in asking:
                task.cancel()
            await asyncio.gather(*asking, return_exceptions=True)
        if failure is not None and not said_no:
            raise failure
        return False


class SequenceStream:
    """`RequestStream` to the server where the sequence of its requests began."""

    def __init__(self, servers: Servers) -> None:
        self._servers = servers
        self._stream: RequestStream | None = None
        self.max_in_flight = servers.max_in_flight

    async def exchange(self, request: InferRequest, timeout_s: float) -> Mapping[str, NDArray[Any]]:
        """Send one request and return the answer's outputs by name, within `timeout_s`."""
        if request.step is None:
            raise ValueError("expected a request of a sequence")

        def call(transport: Transport) -> Awaitable[Mapping[str, NDArray[Any]]]:
            if self._stream is None:
                self._stream = transport.open_stream()
            return self._stream.exchange(request, timeout_s)

        return await self._servers.in_sequence(request.model_name, request.step, call)

    async def close(self) -> None:
        """Give up what is on the way."""
        if self._stream is not None:
            await self._stream.close()


def _may_pass(error: AsrError) -> bool:
    """Return whether another server may do what one has failed to do."""
    is_full = isinstance(opening_failure(error), SessionLimitReached)
    return is_full or isinstance(error, ModelNotFound) or is_outage(error)
