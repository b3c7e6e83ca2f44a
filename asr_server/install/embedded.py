"""Gives every repository a model: the embedded ones, where no other is installed."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from asr_server.install.into_repository import install
from asr_server.models import ModelKind
from asr_server.places import home


def install_embedded(kinds: Iterable[ModelKind], report: Callable[[str], None]) -> None:
    """Install the embedded models of these kinds into the repositories of `home`.

    Raises:
        InstallError: there is none of a kind.
        PrepareError: its graph cannot be served.
    """
    for kind in kinds:
        report(f"installing the embedded {kind.name} model (small, synthetic speech only)")
        install(kind, kind.embedded, home() / kind.repository)
