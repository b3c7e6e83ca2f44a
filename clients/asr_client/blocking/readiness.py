"""What a client asks of the server itself, for callers that wait."""

from __future__ import annotations

from ..aio.readiness import AsyncReadiness
from ..errors import AsrError
from ..options import READY_TIMEOUT_S, checked_timeout, timeout_or
from ..results import ModelInfo
from .background import Background


class Readiness:
    """The part of `Client` that asks whether the server, and its models, are ready."""

    timeout_s: float
    _core: AsyncReadiness
    _background: Background

    def check_ready(self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Raise unless the server, and the model if one is named, is ready.

        This is what the server reports. A model whose process has died may still be reported
        as ready; a request to it then raises `ServerError` with the server's message.

        Raises:
            ServerNotReady: the server was reached and says that it is not.
            AsrError: it was not reached, or did not answer in time.
        """
        timeout_s = checked_timeout(timeout_s)
        self._background.call(lambda: self._core.check_ready(model, timeout_s=timeout_s), timeout_s)

    def is_ready(self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S) -> bool:
        """Return whether the server, and the model if one is named, can be reached and is ready.

        `check_ready` says why it is not.
        """
        checked_timeout(timeout_s)
        try:
            self.check_ready(model, timeout_s=timeout_s)
        except AsrError:
            return False
        return True

    def wait_ready(self, timeout_s: float, *, model: str | None = None) -> None:
        """Wait until the server, and the model if one is named, is ready.

        Raises:
            ServerNotReady: it is not after `timeout_s` seconds; the message says why.
        """
        timeout_s = checked_timeout(timeout_s)
        self._background.call(lambda: self._core.wait_ready(timeout_s, model=model), timeout_s)

    def models(self, *, timeout_s: float | None = None) -> list[ModelInfo]:
        """Return the models that the server lists as ready, the parts of ensembles included."""
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        return self._background.call(lambda: self._core.models(timeout_s=timeout_s), timeout_s)
