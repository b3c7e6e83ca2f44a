"""Where the servers are: URLs as people write them, and the addresses behind a name."""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Sequence

from ..errors import OptionError
from ..time_limit import within
from ..transport import Endpoint


def read_endpoints(url: str | Sequence[str]) -> list[Endpoint]:
    """Parse one URL, several with commas between them, or a list of such; each counts once.

    Raises:
        OptionError: there is none, or one makes no sense.
    """
    given = [url] if isinstance(url, str) or not isinstance(url, Sequence) else list(url)
    words: list[str] = []
    for each in given:
        words += each.split(",") if isinstance(each, str) else [each]
    endpoints = [
        Endpoint.parse(word.strip() if isinstance(word, str) else word)
        for word in words
        if len(words) == 1 or not isinstance(word, str) or word.strip()
    ]
    if not endpoints:
        raise OptionError(f"url: expected at least one; got {url!r}")
    return list(dict.fromkeys(endpoints))


def may_be_several(endpoint: Endpoint) -> bool:
    """Return whether an endpoint is a name that may stand for several servers.

    Not with HTTPS, where tritonclient proves a certificate for the address that it connects to.
    """
    if endpoint.scheme in ("unix", "https"):
        return False
    host = endpoint.host
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return host.lower() != "localhost"
    return False


async def addresses_of(endpoint: Endpoint, timeout_s: float) -> list[Endpoint]:
    """Look up the servers behind a name: those of IPv4 where there are any, else of IPv6.

    Returns:
        the endpoint itself where the look-up fails: connecting to it says why.
    """
    loop = asyncio.get_running_loop()
    look_up = loop.getaddrinfo(endpoint.host, None, type=socket.SOCK_STREAM)
    try:
        found = await within(timeout_s, look_up)
    except (OSError, TimeoutError, UnicodeError):
        return [endpoint]
    for family in (socket.AF_INET, socket.AF_INET6):
        hosts = dict.fromkeys(str(entry[4][0]) for entry in found if entry[0] == family)
        if hosts:
            return [endpoint.at(host) for host in hosts]
    return [endpoint]
