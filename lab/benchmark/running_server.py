"""Our server on a benchmark's repositories."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from asr_server.run import TritonServer

START_TIMEOUT_S = 300.0  # of any contestant: full-size models are read from disk


@contextmanager
def running_server(repositories: Sequence[Path], work: Path) -> Iterator[TritonServer]:
    """Run Triton until the context ends; its log goes to `work`."""
    with TritonServer(repositories, log=work / "server.log") as server:
        server.wait_ready(START_TIMEOUT_S)
        yield server
