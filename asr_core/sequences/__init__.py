"""Sequences of requests: their order, their limit, their end."""
