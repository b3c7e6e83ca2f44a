"""Reads a multipart upload within limits of size and time."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.types import Receive, Scope

from asr_client.transport import within

from .api_errors import ApiError

MAX_FIELDS = 32
MAX_FIELD_BYTES = 1_000_000
_FORM_BYTES = MAX_FIELDS * 2_000 + MAX_FIELD_BYTES  # what may come beside the file

# An upload may be slow, but not so slow that somebody holds a place for nothing.
_MIN_BYTES_PER_S = 1_000


class UploadRequest(Request):
    """A request whose body may neither be too large nor take for ever.

    Args:
        max_bytes: of the file.
        idle_timeout_s: longest pause, and how long a slow upload is given before its rate counts.
    """

    def __init__(
        self, scope: Scope, receive: Receive, *, max_bytes: int, idle_timeout_s: float
    ) -> None:
        super().__init__(scope, receive)
        self._max_bytes = max_bytes + _FORM_BYTES
        self._idle_timeout_s = idle_timeout_s

    async def stream(self) -> AsyncGenerator[bytes, None]:
        """Yield the body as it comes.

        Raises:
            ApiError: it is too large or too slow.
        """
        length = self.headers.get("content-length", "")
        if length.isdecimal() and int(length) > self._max_bytes:
            raise _too_large(self._max_bytes - _FORM_BYTES)
        received, begun_s = 0, time.monotonic()
        body = super().stream()
        while True:
            try:
                chunk = await within(self._idle_timeout_s, anext(body, None))
            except TimeoutError:
                raise ApiError(
                    408, f"nothing of the upload came for {self._idle_timeout_s:g} s"
                ) from None
            if chunk is None:
                return
            received += len(chunk)
            if received > self._max_bytes:
                raise _too_large(self._max_bytes - _FORM_BYTES)
            elapsed_s = time.monotonic() - begun_s - self._idle_timeout_s
            if received < _MIN_BYTES_PER_S * elapsed_s:
                raise ApiError(408, f"expected an upload of {_MIN_BYTES_PER_S} bytes/s or more")
            yield chunk


def check_size(file: UploadFile, max_bytes: int) -> None:
    """Raise `ApiError` for a file that is too large."""
    if file.size is not None and file.size > max_bytes:
        raise _too_large(max_bytes)


def _too_large(max_bytes: int) -> ApiError:
    return ApiError(
        413,
        f"expected a file of at most {max_bytes} bytes; got a larger one",
        param="file",
        code="file_too_large",
    )
