"""Carries requests to a server, over gRPC or HTTP, such that each of them ends."""

from ..time_limit import within
from .endpoint import Endpoint
from .grpc import GrpcTransport
from .grpc_stream import GrpcRequestStream
from .grpc_threads import ThreadedGrpcTransport
from .http import HttpRequestStream, HttpTransport
from .interface import RequestStream, Transport
from .models import has_model
from .outages import is_outage

__all__ = [
    "Endpoint",
    "GrpcRequestStream",
    "GrpcTransport",
    "HttpRequestStream",
    "HttpTransport",
    "RequestStream",
    "ThreadedGrpcTransport",
    "Transport",
    "has_model",
    "is_outage",
    "within",
]
