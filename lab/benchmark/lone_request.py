"""One request at no load: the server and the bare session in turns, recording by recording.

The host of a virtual machine changes its speed within seconds: what is compared comes right after
the other, each first half of the time.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asr_client import Client
from asr_contract import SAMPLE_RATE
from asr_server.models import VERSION, ModelKind
from lab.benchmark import in_process
from lab.benchmark.installed_models import MeasuredPrecision, installed
from lab.benchmark.running_server import running_server
from lab.benchmark.workload import Recording

SECONDS = 5.0
THREADS = 2
WARM_UP = 3


@dataclass
class LatencyResult:
    """Seconds from a recording to its answer, in pairs.

    Attributes:
        precision: of both.
        bare_s: front end and session in this process, `THREADS` threads.
        server_s: the server over gRPC, on the same recordings.
    """

    precision: MeasuredPrecision
    bare_s: list[float] = field(default_factory=list)
    server_s: list[float] = field(default_factory=list)

    @property
    def ratio(self) -> float:
        """Median of server ÷ bare over the pairs."""
        pairs = zip(self.server_s, self.bare_s, strict=True)
        return statistics.median(server_s / bare_s for server_s, bare_s in pairs)

    @property
    def extra_s(self) -> float:
        """Median of server - bare over the pairs."""
        pairs = zip(self.server_s, self.bare_s, strict=True)
        return statistics.median(server_s - bare_s for server_s, bare_s in pairs)


def measure_latency(
    kind: ModelKind,
    source: Path,
    recordings: Sequence[Recording],
    rounds: int,
    precision: MeasuredPrecision,
    work: Path,
    report: Callable[[str], None],
) -> LatencyResult:
    """Time requests of `SECONDS`, one at a time.

    Args:
        kind: which model.
        source: the exported model, laid out as the hubs do.
        recordings: what the requests are cut from, joined.
        rounds: how often each is sent.
        precision: of the server and the bare session.
        work: for installed models, which a later run finds there.
        report: gets a line after each round.
    """
    repository = installed(kind, source, work, precision)
    bare = in_process.bare(repository / kind.encoder / VERSION / "model.onnx", source, THREADS)
    length = int(SECONDS * SAMPLE_RATE)
    audio = np.concatenate(recordings)
    pieces = [audio[start : start + length] for start in range(0, len(audio) - length, length)]
    result = LatencyResult(precision)
    with (
        running_server([repository], work) as server,
        Client(f"grpc://{server.grpc_url}", timeout_s=300) as client,
    ):

        def ask(recording: Recording) -> object:
            return client.transcribe(recording, model=kind.name, sample_rate=SAMPLE_RATE)

        for piece in pieces[:WARM_UP]:
            bare(piece)
            ask(piece)
        for number in range(rounds):
            for index, piece in enumerate(pieces):
                if (number + index) % 2:
                    result.server_s.append(_seconds(ask, piece))
                    result.bare_s.append(_seconds(bare, piece))
                else:
                    result.bare_s.append(_seconds(bare, piece))
                    result.server_s.append(_seconds(ask, piece))
            report(f"{kind.name}: {len(result.bare_s)} pairs, {result.ratio:.3f}")
    return result


def _seconds(recognise: in_process.Recognise, recording: Recording) -> float:
    begun_s = time.perf_counter()
    recognise(recording)
    return time.perf_counter() - begun_s
