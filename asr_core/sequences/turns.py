"""Where in its sequence a request stands."""

from __future__ import annotations

import json
from collections.abc import Hashable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Turn:
    """A request's place.

    Attributes:
        key: the sequence id.
        starts, ends: whether it is the first, the last.
        parameters: what the client asks for; counts at the start.
    """

    key: Hashable
    starts: bool
    ends: bool
    parameters: Mapping[str, Any] = field(default_factory=dict)


def read_turn(correlation_id: Hashable, flags: int, parameters: str) -> Turn:
    """Read what Triton tells of a request.

    Args:
        correlation_id: the sequence id.
        flags: 1 for the first request, 2 for the last, 3 for both.
        parameters: the request's parameters, a JSON object.
    """
    return Turn(correlation_id, bool(flags & 1), bool(flags & 2), json.loads(parameters))
