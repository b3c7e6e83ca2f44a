"""API keys: `Authorization: Bearer KEY`, for websockets of browsers also `?api_key=KEY`.

OpenAI's package for browsers, which cannot send that header, names its key as a subprotocol:
`openai-insecure-api-key.KEY`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence

from starlette.requests import HTTPConnection

from asr_contract.access import is_one_of

_SCHEME = "bearer "
_SUBPROTOCOL = "openai-insecure-api-key."


class ApiKeys:
    """Tells who may come in.

    Args:
        keys: none lets everybody in.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._keys = list(keys)

    def admit(self, connection: HTTPConnection, *, in_query: bool = False) -> bool:
        """Return whether a request brings one of the keys, or needs none.

        Args:
            connection: the request.
            in_query: whether it may be in the URL, which proxies may log, or a subprotocol.
        """
        given = _given_key(connection, in_query)
        return not self._keys or is_one_of(given, self._keys)

    def client(self, connection: HTTPConnection, *, in_query: bool = False) -> str:
        """Return whose limits count for a request: a key's (its hash), else an address's."""
        if self._keys:
            given = _given_key(connection, in_query).encode()
            return "key-" + hashlib.sha256(given).hexdigest()[:8]
        return connection.client.host if connection.client else "unknown"


def _given_key(connection: HTTPConnection, in_query: bool) -> str:
    header = connection.headers.get("authorization", "")
    if header.lower().startswith(_SCHEME):
        return header[len(_SCHEME) :].strip()
    if not in_query:
        return ""
    for name in connection.scope.get("subprotocols", []):
        if name.startswith(_SUBPROTOCOL):
            return str(name[len(_SUBPROTOCOL) :])
    return connection.query_params.get("api_key", "")
