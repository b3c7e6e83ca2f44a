"""The one exception of this package."""

from __future__ import annotations


class PrepareError(ValueError):
    """A graph cannot be prepared, or the prepared one does not do what it must."""
