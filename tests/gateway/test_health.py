"""What the log says of a gateway that waits for Triton."""

from __future__ import annotations

import asyncio

from asr_client import AsyncClient, RequestRejected
from asr_gateway.service import health
from asr_gateway.service.health import Health
from asr_gateway.shared import Gateway, GatewaySettings

AWAY = "Triton does not answer"


def logged(monkeypatch, problems, patience_s):
    """The events that are logged while these problems are found, one a look; then there is none."""
    events = []
    found = iter([*problems, None])
    monkeypatch.setattr(health, "log_event", lambda event, **fields: events.append((event, fields)))
    monkeypatch.setattr(health, "_PATIENCE_S", patience_s)
    monkeypatch.setattr(health, "_KEPT_S", 0.0)

    async def run() -> None:
        gateway = Gateway(GatewaySettings())
        watching = Health(gateway)

        async def problem() -> str | None:
            return next(found)

        monkeypatch.setattr(watching, "problem", problem)
        await watching.tell_when_ready()
        await gateway.close()

    asyncio.run(run())
    return [(event, fields.get("reason")) for event, fields in events]


def test_what_lasts_is_told_once_and_then_that_it_is_over(monkeypatch):
    events = logged(monkeypatch, [AWAY, AWAY, "no model vad", "no model vad"], -1.0)
    assert events == [("not ready", AWAY), ("not ready", "no model vad"), ("ready", None)]


def test_what_passes_is_not_told(monkeypatch):
    assert logged(monkeypatch, [AWAY, AWAY], 60.0) == [("ready", None)]


def test_a_refused_key_is_not_a_missing_model(monkeypatch):
    async def refused(self, model, **options):
        raise RequestRejected("expected an API key")

    monkeypatch.setattr(AsyncClient, "check_ready", refused)

    async def run() -> str | None:
        gateway = Gateway(GatewaySettings())
        try:
            return await Health(gateway).problem()
        finally:
            await gateway.close()

    assert "another API key" in str(asyncio.run(run()))
