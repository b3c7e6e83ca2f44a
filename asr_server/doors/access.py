"""Who is let in: the names that a server is called by, pages of its own, and API keys.

A page of another origin can send a request to a server on the same machine, or give its own name
the server's address (DNS rebinding). Browsers say where a page comes from and which host it asked.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from asr_contract.access import is_one_of

ANY_HOST = "*"


@dataclass(frozen=True)
class Access:
    """Which requests a door takes.

    Attributes:
        keys: one of them has to come with a request; none to let everybody in.
        hosts: names of this server beside IP addresses and `localhost`; `*` for any.
    """

    keys: Sequence[str] = ()
    hosts: Sequence[str] = ()

    def has_key(self, authorization: str) -> bool:
        """Return whether an `Authorization` header brings one of the keys, or none is needed."""
        scheme, _, given = authorization.partition(" ")
        if scheme.lower() != "bearer":
            given = ""
        return not self.keys or is_one_of(given.strip(), self.keys)

    def knows_host(self, host: str) -> bool:
        """Return whether a `Host` header names this server."""
        name = _name_of(host)
        return name is not None and (
            name == "localhost" or _is_address(name) or name in self.hosts or ANY_HOST in self.hosts
        )

    @staticmethod
    def is_foreign_page(host: str, origin: str | None, fetch_site: str | None) -> bool:
        """Return whether a page that this server did not send asks.

        Args:
            host: the header `Host`.
            origin: the header `Origin`; None without one, as of clients that are no browsers.
            fetch_site: `Sec-Fetch-Site`, which browsers also send where there is no origin.
        """
        if fetch_site in ("cross-site", "same-site"):
            return True
        return origin is not None and _netloc(origin) != host


def _netloc(origin: str) -> str | None:
    """Return the `host:port` of an origin; None of `null` and what is none."""
    try:
        return urlsplit(origin).netloc or None
    except ValueError:
        return None


def _name_of(host: str) -> str | None:
    try:
        return urlsplit(f"//{host}").hostname
    except ValueError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
