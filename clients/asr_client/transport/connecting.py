"""Why no connection came about, in words that say what to change."""

from __future__ import annotations

import os
import re

import aiohttp

_NOBODY = "no server listens there; is it running, and is this its port?"
_NO_TLS = "does the server speak TLS there? If not, use http:// or grpc://"

# What gRPC and aiohttp say, in lower case → what a user can do about it.
_HINTS = (
    ("connection refused", _NOBODY),
    ("tls handshake failed", _NO_TLS),
    ("handshake read failed", _NO_TLS),
    ("certificate verify failed", "the certificate is not trusted; ca_file names its authority"),
    ("server disconnected", "the server sent no HTTP; is this its HTTP port?"),
    ("connection reset by peer", "is this the right port for the URL's scheme?"),
)
_SPEAKS_HTTP = "Trying to connect an http1.x server"
# "failed to connect to all addresses; last error: UNKNOWN: ipv4:127.0.0.1:1: Failed to …"
_LAST_ERROR = re.compile(r"failed to connect to all addresses; last error: \w+: (?:ipv[46]:\S+: )?")
_REMOTE_HOST = "Failed to connect to remote host: "
# "errors resolving host:1: [field:hostname lookup error:… for host:1: Domain name not found]"
_RESOLVING = re.compile(r"errors resolving (\S+): \[.*: ([^:\]]+)\]")


def connection_failure(what: BaseException | str) -> str:
    """Return what a library says of a connection, without its own terms, and a hint.

    Args:
        what: an exception of aiohttp or of a socket, or the details of gRPC's.
    """
    if _SPEAKS_HTTP in str(what):
        return "cannot connect: this port speaks HTTP; use http://, or the gRPC port"
    reason = _reason(what)
    hint = next((hint for words, hint in _HINTS if words in reason.lower()), None)
    return f"{reason} ({hint})" if hint else reason


def _reason(what: BaseException | str) -> str:
    if isinstance(what, aiohttp.ClientConnectorCertificateError):
        reason = getattr(what.certificate_error, "verify_message", what.certificate_error)
        return f"cannot connect: certificate verify failed: {reason}"
    if isinstance(what, aiohttp.ClientConnectorSSLError):
        return "cannot connect: TLS handshake failed"
    if isinstance(what, aiohttp.ClientConnectorError):
        number = what.errno or 0
        return f"cannot connect: {os.strerror(number) if number > 0 else what.strerror or what}"
    reason = str(what).strip() or type(what).__name__
    reason = _LAST_ERROR.sub("cannot connect: ", reason).replace(_REMOTE_HOST, "")
    return _RESOLVING.sub(r"cannot resolve \1: \2", reason)
