"""Whether a server has a model; one that starts or stops has none."""

from __future__ import annotations

from contextlib import suppress

from ..errors import ModelNotFound, ServerNotReady
from .interface import Transport


async def has_model(transport: Transport, url: str, name: str, timeout_s: float) -> bool:
    """Return whether a model is ready on a server that is ready itself.

    Args:
        transport: the way to the server.
        url: its URL, for the message.
        name: of the model in Triton.
        timeout_s: for each of the two questions.

    Raises:
        ServerNotReady: the server is not ready, and whether it has the model cannot be told.
        AsrError: the others of `errors`.
    """
    with suppress(ModelNotFound):
        if await transport.model_ready(name, timeout_s):
            return True
    if not await transport.server_ready(timeout_s):
        raise ServerNotReady(f"{url}: the server is not ready: it starts, or it stops")
    return False
