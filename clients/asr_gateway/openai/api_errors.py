"""Failures as OpenAI's API reports them: `{"error": {"message", "type", "param", "code"}}`."""

from __future__ import annotations

from starlette.responses import JSONResponse

from asr_client import (
    AsrError,
    AudioError,
    DecoderFailed,
    ModelNotFound,
    OptionError,
    Overloaded,
    RequestRejected,
    RequestTimeout,
    ServerNotReady,
    StorageFull,
)
from asr_client.storage import is_full

from ..shared import RETRY_AFTER_S, TooManySessions, is_outage, told


class ApiError(Exception):
    """An answer that is an error.

    Attributes:
        status: of HTTP.
        param: the field of the request that is to blame, if one is.
        code: a word for programs.
    """

    def __init__(
        self, status: int, message: str, *, param: str | None = None, code: str | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.param = param
        self.code = code

    def body(self) -> dict[str, dict[str, str | None]]:
        """Return what is sent."""
        kind = "invalid_request_error" if self.status < 500 else "server_error"
        if self.status == 429:
            kind = "rate_limit_error"
        return {
            "error": {
                "message": str(self),
                "type": kind,
                "param": self.param,
                "code": self.code,
            }
        }

    def response(self) -> JSONResponse:
        """Return the HTTP response."""
        headers = {"Retry-After": str(RETRY_AFTER_S)} if self.status in (429, 503, 507) else None
        if self.status == 401:
            headers = {"WWW-Authenticate": "Bearer"}
        return JSONResponse(self.body(), self.status, headers)


def api_error(error: Exception) -> ApiError:
    """Return what a failure of the SDK or the gateway means to an HTTP client."""
    if isinstance(error, ApiError):
        return error
    if isinstance(error, TooManySessions):
        return ApiError(429 if error.reason == "client" else 503, str(error), code=error.reason)
    if isinstance(error, AudioError):
        return ApiError(400, f"file: {told(error)}", param="file", code="invalid_audio")
    if isinstance(error, DecoderFailed):
        return ApiError(500, told(error), code="decoder_failed")
    if isinstance(error, Overloaded):
        return ApiError(503, told(error), code="overloaded")
    if isinstance(error, StorageFull) or is_full(error):
        return ApiError(507, told(error), code="storage_full")
    if isinstance(error, (ModelNotFound, ServerNotReady)) or is_outage(error):
        return ApiError(503, told(error), code="not_ready")
    if isinstance(error, (OptionError, RequestRejected)):
        return ApiError(400, told(error))
    if isinstance(error, RequestTimeout):
        return ApiError(504, told(error), code="timeout")
    return ApiError(502 if isinstance(error, AsrError) else 500, told(error))
