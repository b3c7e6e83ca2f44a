"""What can go wrong on the way to an installed model."""

from __future__ import annotations


class InstallError(RuntimeError):
    """The model cannot be installed; what was installed before is untouched."""


class DownloadError(InstallError):
    """A hub did not give the files, or gave others than it lists."""


class HubUnreachableError(DownloadError):
    """There is no connection to the hub."""
