"""What a client asks of the server itself."""

from __future__ import annotations

import asyncio
import time

from asr_contract import triton_name

from ..errors import AsrError, ClientClosed, ServerNotReady
from ..options import POLL_INTERVAL_S, READY_TIMEOUT_S, checked_timeout, timeout_or
from ..results import ModelInfo
from ..transport import Transport


class AsyncReadiness:
    """The part of `AsyncClient` that asks whether the server, and its models, are ready."""

    url: str
    timeout_s: float
    _transport: Transport

    async def check_ready(
        self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        """Raise unless the server, and the model if named, is ready; as `Client.check_ready`."""
        deadline_s = time.monotonic() + checked_timeout(timeout_s)
        if not await self._transport.server_ready(timeout_s):
            raise ServerNotReady(f"{self.url}: the server says that it is not ready")
        if model is not None:
            name = triton_name(model)
            left_s = max(deadline_s - time.monotonic(), 0.001)
            if not await self._transport.model_ready(name, left_s):
                raise ServerNotReady(
                    f"{self.url}: model {name!r} is not ready, or not on this server; "
                    "`triton-asr models` lists those that are ready"
                )

    async def is_ready(
        self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S
    ) -> bool:
        """Return whether the server, and the model if named, is ready; as `Client.is_ready`."""
        checked_timeout(timeout_s)
        try:
            await self.check_ready(model, timeout_s=timeout_s)
        except AsrError:
            return False
        return True

    async def wait_ready(self, timeout_s: float, *, model: str | None = None) -> None:
        """Wait until the server, and the model if named, is ready; as `Client.wait_ready`."""
        deadline = time.monotonic() + checked_timeout(timeout_s)
        while True:
            left_s = deadline - time.monotonic()
            try:
                return await self.check_ready(
                    model, timeout_s=max(min(left_s, READY_TIMEOUT_S), 0.001)
                )
            except ClientClosed:
                raise
            except AsrError as error:
                if time.monotonic() + POLL_INTERVAL_S >= deadline:
                    raise ServerNotReady(f"not ready within {timeout_s:g} s: {error}") from error
            await asyncio.sleep(POLL_INTERVAL_S)

    async def models(self, *, timeout_s: float | None = None) -> list[ModelInfo]:
        """Return the models that the server lists as ready; as `Client.models`."""
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        return await self._transport.ready_models(timeout_s)
