"""Carries requests to a server, over gRPC or HTTP."""
