"""`triton-asr-server serve` as a process of its own, for tests of what it opens and starts anew."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psutil

from asr_server.places import ROOT
from asr_server.run import held_ports, start_bound
from tests.processes import read_until, write_output

END_TIMEOUT_S = 120


@dataclass(frozen=True)
class Serving:
    """A server that is up.

    Attributes:
        http_port, grpc_port, metrics_port, gateway_port: of its doors.
        process: the command.
        said: what it printed until it was ready.
        output: a file with what it, its doors and its gateway print after that.
    """

    http_port: int
    grpc_port: int
    metrics_port: int
    gateway_port: int
    process: subprocess.Popen[str]
    said: str
    output: Path

    @property
    def ports(self) -> tuple[int, int, int, int]:
        """Return them, as `serving` takes them."""
        return self.http_port, self.grpc_port, self.metrics_port, self.gateway_port

    @property
    def grpc_url(self) -> str:
        return f"grpc://127.0.0.1:{self.grpc_port}"

    @property
    def http_url(self) -> str:
        return f"http://127.0.0.1:{self.http_port}"

    def family(self) -> list[psutil.Process]:
        """All processes that it started."""
        return psutil.Process(self.process.pid).children(recursive=True)

    def child(self, *words: str) -> psutil.Process:
        """The process whose command line has these words, or that has this name."""
        for each in self.family():
            try:
                line, name = each.cmdline(), each.name()
            except psutil.Error:
                continue  # one that was killed, and that its parent has not looked at
            if name == words[0] or all(word in line for word in words):
                return each
        raise LookupError(f"no process of {words}")

    def kill_and_suspend_successor(self, word: str, timeout_s: float) -> psutil.Process:
        """Kill a process as `child` finds it; return the one that takes its place, suspended."""
        lost = self.child(word)
        lost.kill()
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            with suppress(LookupError):
                successor = self.child(word)
                if successor != lost:
                    successor.suspend()
                    return successor
            time.sleep(0.01)
        raise TimeoutError(f"nothing took the place of {word}")

    def memory_mb(self) -> float:
        """Of all its processes, shared pages counted once."""
        total = 0
        for each in self.family():
            try:
                total += each.memory_full_info().pss
            except psutil.Error:
                continue  # it ended meanwhile
        return total / 1e6


@contextmanager
def serving(
    repositories: Sequence[Path],
    log: Path,
    *more: str,
    gateway: bool = False,
    ports: Sequence[int] | None = None,
) -> Iterator[Serving]:
    """Run the command until the block ends, on free ports where none are given."""
    if ports is None:
        with held_ports(4) as ports:
            pass  # the command looks whether they are free, so they are not held any longer
    process = start_serve(repositories, log, ports, *more, gateway=gateway)
    output = log.with_name(f"{log.stem}.output")
    writing = None
    try:
        said = read_until(process, "ready")
        writing = write_output(process, output)
        yield Serving(*ports, process, said, output)
    finally:
        process.terminate()
        try:
            process.wait(timeout=END_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            process.kill()
            raise
        if writing is not None:
            writing.join(timeout=END_TIMEOUT_S)


def start_serve(
    repositories: Sequence[Path],
    log: Path,
    ports: Sequence[int],
    *more: str,
    gateway: bool = False,
) -> subprocess.Popen[str]:
    """Start the command, which ends with this process; returns at once."""
    words = [sys.executable, "-m", "scripts.serve", "--log", str(log), *more]
    words += [f"--model-repository={path}" for path in repositories]
    words += [f"--http-port={ports[0]}", f"--grpc-port={ports[1]}", f"--metrics-port={ports[2]}"]
    if gateway:
        words += ["--gateway", f"--gateway-option=--port={ports[3]}"]
    return start_bound(
        words,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
