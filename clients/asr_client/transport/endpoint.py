"""Where the server is: the URL, taken apart once."""

from __future__ import annotations

from dataclasses import dataclass, replace
from urllib.parse import urlsplit

from ..errors import OptionError

# Triton's own default ports; behind TLS there is usually a proxy on the web's port.
_DEFAULT_PORTS = {"grpc": 8001, "grpcs": 443, "http": 8000, "https": 443}
_UNIX = "unix:"


@dataclass(frozen=True)
class Endpoint:
    """A parsed server URL.

    Attributes:
        scheme: "grpc", "grpcs", "http", "https", or "unix" for gRPC over a Unix socket.
        address: `host:port` (IPv6 in brackets) or `unix:/path`, as tritonclient wants it.
        base_path: path in front of `/v2` for HTTP behind a proxy, "" or "/…" without a final "/".
        authority: the `host:port` that the server is asked for by, where `address` is only one of
            those that the name stands for; "" where it is the address.
    """

    scheme: str
    address: str
    base_path: str = ""
    authority: str = ""

    @classmethod
    def parse(cls, url: str) -> Endpoint:
        """Parse `grpc://host:port`, `grpcs://…`, `http://host:port[/base]` or `https://…`.

        The port may be left out: 8001 for grpc, 8000 for http, 443 with TLS. `unix:/path` is gRPC
        over a Unix socket, which a server and its gateway on the same machine may share.

        Raises:
            OptionError: another scheme, no host, or a part that has no meaning here.
        """
        if isinstance(url, str) and url.startswith(f"{_UNIX}/"):
            return cls("unix", url)
        expected = "expected grpc://host:port, grpcs://…, http://host:port or https://…"
        try:
            parts = urlsplit(url)
            port = parts.port
        except (ValueError, TypeError, AttributeError) as error:
            no_port = "ort" in str(error) and ": the port is a number from 0 to 65535"
            raise OptionError(f"url: {expected}{no_port or ''}; got {url!r}") from None
        if parts.scheme not in _DEFAULT_PORTS or not parts.hostname:
            raise OptionError(f"url: {expected}; got {url!r}")
        if parts.username is not None or parts.query or parts.fragment:
            raise OptionError(f"url: {expected}, without user, query or fragment; got {url!r}")
        base_path = parts.path.rstrip("/")
        if base_path and parts.scheme.startswith("grpc"):
            raise OptionError(f"url: gRPC has no path; {expected}; got {url!r}")
        host = f"[{parts.hostname}]" if ":" in parts.hostname else parts.hostname
        port = _DEFAULT_PORTS[parts.scheme] if port is None else port
        return cls(parts.scheme, f"{host}:{port}", base_path)

    @property
    def host(self) -> str:
        """The name or address of the machine, without brackets; "" for a Unix socket."""
        return "" if self.scheme == "unix" else self.address.rpartition(":")[0].strip("[]")

    def at(self, host: str) -> Endpoint:
        """Return one of the servers that the name of this one stands for, by its address."""
        port = self.address.rpartition(":")[2]
        bracketed = f"[{host}]" if ":" in host else host
        return replace(self, address=f"{bracketed}:{port}", authority=self.address)

    @property
    def url(self) -> str:
        """The whole URL, for messages."""
        if self.scheme == "unix":
            return self.address
        return f"{self.scheme}://{self.address}{self.base_path}"

    @property
    def uses_grpc(self) -> bool:
        """Whether gRPC is spoken (else HTTP)."""
        return self.scheme.startswith(("grpc", "unix"))

    @property
    def uses_tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.scheme in ("grpcs", "https")
