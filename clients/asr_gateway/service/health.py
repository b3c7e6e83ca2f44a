"""`/healthz` (the process lives), `/readyz` (Triton has the models) and `/metrics`."""

from __future__ import annotations

import asyncio
import logging
import time

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from asr_client import AsrError, ConnectionFailed, RequestRejected, RequestTimeout
from asr_contract import PUNCTUATION_MODEL, VAD_MODEL, triton_name

from ..shared import Gateway, GatewaySettings, log_event

_PATIENCE_S = 10.0  # a Triton that is started beside the gateway loads its models
_KEPT_S = 1.0  # so that probes, however many, are one question to Triton


def needed_models(settings: GatewaySettings) -> list[str]:
    """Return the Triton models without which the gateway cannot do what its settings say."""
    names = [triton_name(settings.model), VAD_MODEL]
    if settings.model == "paraformer":
        names.append(PUNCTUATION_MODEL)
    if settings.service == "2pass":
        names.append(triton_name(settings.online_model))
    return names


class Health:
    """Answers probes."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway
        self._looking = asyncio.Lock()
        self._looked_s = float("-inf")
        self._problem: str | None = None

    async def live(self, request: Request) -> Response:
        """Answer as long as the process does."""
        return JSONResponse({"status": "ok"})

    async def ready(self, request: Request) -> Response:
        """Answer 200 if a session could begin, else 503 with the reason."""
        problem = await self.problem()
        if problem is not None:
            return JSONResponse({"status": "not ready", "reason": problem}, status_code=503)
        return JSONResponse({"status": "ready"})

    async def metrics(self, request: Request) -> Response:
        """Return what was counted, as Prometheus reads it."""
        await self._gateway.triton.answers()  # whoever asks keeps the Tritons looked at
        return Response(
            self._gateway.metrics.page(), media_type="text/plain; version=0.0.4; charset=utf-8"
        )

    async def problem(self) -> str | None:
        """Return why no session could begin; None if one could."""
        if self._gateway.limits.draining:
            return "the gateway is shutting down"
        async with self._looking:
            if time.monotonic() - self._looked_s > _KEPT_S:
                self._problem = await self._look()
                self._looked_s = time.monotonic()
        return self._problem

    async def tell_when_ready(self) -> None:
        """Log once that a session could begin, and before that why none can, if that lasts."""
        begun_s, told = time.monotonic(), None
        while (problem := await self.problem()) is not None:
            if problem != told and time.monotonic() - begun_s > _PATIENCE_S:
                log_event("not ready", level=logging.WARNING, reason=problem)
                told = problem
            await asyncio.sleep(_KEPT_S)
        log_event("ready")

    async def _look(self) -> str | None:
        client = self._gateway.client
        for name in needed_models(self._gateway.settings):
            try:
                await client.check_ready(name)
            except (ConnectionFailed, RequestTimeout):
                return "Triton does not answer"
            except RequestRejected:
                return "Triton refuses the gateway (does it want another API key?)"
            except AsrError:
                return f"Triton's model {name} is not ready"
        return None
