"""Several servers as one: which of them a request goes to, and what becomes of one that fails."""

from .addresses import read_endpoints
from .servers import Servers, has_another, transport_of

__all__ = ["Servers", "has_another", "read_endpoints", "transport_of"]
