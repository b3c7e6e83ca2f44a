"""Carries requests to a server, over gRPC or HTTP, such that each of them ends."""

from ..time_limit import within
from .endpoint import Endpoint
from .interface import AsyncTransport

__all__ = ["AsyncTransport", "Endpoint", "within"]
