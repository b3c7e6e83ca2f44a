"""Reads a multipart upload within limits of size and time."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request
from starlette.types import Receive, Scope

from asr_client.transport import within

from .api_errors import ApiError

MAX_FIELDS = 32
MAX_FIELD_BYTES = 1_000_000
_FORM_BYTES = MAX_FIELDS * 2_000 + MAX_FIELD_BYTES  # what may come beside the file

# An upload may be slow, but not so slow that somebody holds a place for nothing.
_MIN_BYTES_PER_S = 1_000


_EXTENDED_NAME = re.compile(rb";\s*filename\*(?:\d+\*?)?\s*=\s*\"?([^;\"]*)", re.I)
_SUFFIX = re.compile(rb"\.[a-z0-9]{1,8}$", re.I)
_PLAIN_NAME = re.compile(rb";\s*filename\s*=", re.I)


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

    async def upload(self, max_files: int = 1) -> FormData:
        """Read the form. Its caller closes it.

        Raises:
            ApiError: the request has none; it is too large, too slow or broken, or has too many
                fields.
        """
        kind = self.headers.get("content-type", "").partition(";")[0].strip()
        if kind.lower() != "multipart/form-data":
            raise ApiError(
                400,
                "file: expected multipart/form-data with the audio or video file in the field "
                f"'file'; got {kind[:80] or 'no Content-Type'}",
                param="file",
            )
        try:
            async with aclosing(self.stream()) as stream:
                parser = _UploadParser(
                    self.headers,
                    stream,
                    max_files=max_files,
                    max_fields=MAX_FIELDS,
                    max_part_size=MAX_FIELD_BYTES,
                )
                return await parser.parse()
        except MultiPartException as error:
            raise ApiError(400, error.message) from None

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


class _UploadParser(MultiPartParser):
    """Takes a part for a file also where its name comes in RFC 2231's form alone.

    `filename*=utf-8''…` is forbidden in forms, and what older versions of Python's requests send
    for a name that is not ASCII. Of such a name its suffix counts.
    """

    def on_headers_finished(self) -> None:
        """Begin a part."""
        disposition = self._current_part.content_disposition or b""
        extended = _EXTENDED_NAME.findall(disposition)  # several of a name that is cut
        if extended and not _PLAIN_NAME.search(disposition):
            suffix = _SUFFIX.search(extended[-1])
            name = b"upload" + (suffix[0] if suffix else b"")
            self._current_part.content_disposition = disposition + b'; filename="' + name + b'"'
        super().on_headers_finished()


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
