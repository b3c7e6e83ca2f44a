"""What several servers cost a gateway, and what a second server adds.

    python -m lab.benchmark.several_servers cost --sessions 40 --turns 5
    python -m lab.benchmark.several_servers carry
    python -m lab.benchmark.several_servers carry \\
        --sensevoice .cache/random_models/sensevoice-full-seed0 --seconds 40

`cost`: the same live sessions, at the speed of speech, through a gateway that knows one Triton and
through one that knows three, in turns; what counts is the processor time of the gateways. How often
Triton is asked is told, too: a gateway that waits longer for answers asks less often, and spends
less. The live text is streaming Paraformer's, which depends on that less than SenseVoice's.

`carry`: requests to SenseVoice, as many as get through: a Triton that is pinned to the first core,
with a client pinned to it, too; and two Tritons, each pinned to a core of its own, with a client
that may use both. So both have all that is needed for a request on their cores. The small embedded
model takes less of them than what stands around it; one of full size, from
`scripts.export_random_models`, nearly all, as in service. What the machine allows is told, too:
bare sessions in a process pinned to a core, and in two at the same time. So is where the cores'
time goes: to the servers for a second of audio, to the client, and to nobody.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import multiprocessing
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import Any

import psutil

from asr_client import AsyncClient
from asr_contract import SAMPLE_RATE
from asr_server.models import KINDS, VERSION
from asr_server.places import ROOT, SAMPLES
from asr_server.run import TritonServer
from lab.benchmark import in_process
from lab.benchmark.installed_models import installed
from lab.benchmark.server_statistics import cpu_seconds, read_statistics
from lab.benchmark.workload import Recording, make_recordings
from tests.cluster import Cluster, GatewayProcess, running_cluster, speak
from tests.gateway.gateways import spoken_pcm
from tests.serving import EMBEDDED, install_models, running

KIND = KINDS["sensevoice"]
COSTED = ("vad", "sensevoice", "paraformer-online")
ASKED = ("vad", "sensevoice", "streaming_paraformer")
IN_FLIGHT = 4  # requests for each server
WARM_UP_S = 3.0


async def _sessions(gateway: GatewayProcess, audios: Sequence[bytes], count: int) -> None:
    """Let people speak, who begin at different times."""

    async def person(number: int) -> None:
        await asyncio.sleep(number % 20 * 0.1)
        heard = await speak([gateway.seen], audios[number % len(audios)])
        if heard.moves or heard.errors:
            raise RuntimeError(f"a session did not go through: {heard}")

    await asyncio.gather(*(person(number) for number in range(count)))


def cost(folder: Path, sessions: int, turns: int) -> None:
    """Print the processor time of both gateways per second of audio, and their ratio."""
    audios = [spoken_pcm(4, seed=seed) for seed in range(6)]
    audio_s = sum(len(audios[number % len(audios)]) for number in range(sessions)) / 32_000
    repositories = install_models(folder, {name: EMBEDDED[name] for name in COSTED})
    with ExitStack() as stack:
        cluster = stack.enter_context(running_cluster(repositories, folder, 3, 0))
        gateways = []
        for number, urls in enumerate((cluster.urls[:1], cluster.urls)):
            gateway = GatewayProcess(urls, folder, number, "--max-sessions-per-client=512")
            gateway.start()
            stack.callback(gateway.stop)
            gateways.append(gateway)
        for gateway in gateways:
            asyncio.run(_sessions(gateway, audios, len(audios)))
        ratios = []
        for turn in range(turns):
            used: dict[int, float] = {}
            asked: dict[int, int] = {}
            for which in (0, 1) if turn % 2 else (1, 0):
                before, asked_before = _processor_s(gateways[which]), _asked(cluster)
                asyncio.run(_sessions(gateways[which], audios, sessions))
                used[which] = _processor_s(gateways[which]) - before
                asked[which] = _asked(cluster) - asked_before
            one, three = (1000 * used[which] / audio_s for which in (0, 1))
            ratios.append(three / one)
            print(
                f"processor ms per second of audio: one {one:.2f} ({asked[0]} requests), three "
                f"{three:.2f} ({asked[1]} requests), {100 * (three / one - 1):+.1f} %",
                flush=True,
            )
        print(
            f"median {100 * (statistics.median(ratios) - 1):+.1f} %, "
            f"{100 * (min(ratios) - 1):+.1f} to {100 * (max(ratios) - 1):+.1f} %"
        )


def _processor_s(gateway: GatewayProcess) -> float:
    used = psutil.Process(gateway.pid).cpu_times()
    return used.user + used.system


def _asked(cluster: Cluster) -> int:
    """Return how often the Tritons were asked by gateways."""
    statistics = [read_statistics(triton.server.http_url) for triton in cluster.tritons]
    return sum(each[model].inferences for each in statistics for model in ASKED)


@dataclass(frozen=True)
class Carried:
    """What a client got through, and where the time of its cores went.

    Attributes:
        audio_per_s: seconds of audio recognised in a second.
        server_ms, client_ms: processor time of all servers, and of the client, for each.
        idle: of the cores' time, the share that nobody used, or programs of low priority.
    """

    audio_per_s: float
    server_ms: float
    client_ms: float
    idle: float

    def __str__(self) -> str:
        return (
            f"{self.audio_per_s:.1f} (ms of processor time each: servers {self.server_ms:.1f}, "
            f"client {self.client_ms:.1f}; {self.idle:.1%} idle)"
        )


async def _ask(urls: Sequence[str], seconds: float, pids: Sequence[int]) -> Carried:
    """Return how many seconds of audio are recognised in a second by servers of these processes.

    Of a request that was under way when the time began or ended, the part that lies in it counts.
    """
    endless = itertools.cycle(_recordings())
    begin_s = time.perf_counter() + WARM_UP_S
    end_s, heard = begin_s + seconds, 0.0

    async def ask(client: AsyncClient) -> None:
        nonlocal heard
        while (sent_s := time.perf_counter()) < end_s:
            recording = next(endless)
            await client.transcribe(recording, sample_rate=SAMPLE_RATE, model=KIND.name)
            done_s = time.perf_counter()
            inside_s = max(min(done_s, end_s) - max(sent_s, begin_s), 0.0)
            heard += len(recording) / SAMPLE_RATE * inside_s / (done_s - sent_s)

    def used_s() -> tuple[float, float, float]:
        """Return the time so far of the servers, of this process, and of nobody."""
        servers = (sum(cpu_seconds(pid).values()) for pid in pids)
        return sum(servers), time.process_time(), _idle_s()

    async def watch() -> list[float]:
        await asyncio.sleep(begin_s - time.perf_counter())
        before = used_s()
        await asyncio.sleep(end_s - time.perf_counter())
        return [now - then for now, then in zip(used_s(), before, strict=True)]

    async with AsyncClient(urls) as client:
        watched = asyncio.create_task(watch())
        await asyncio.gather(*(ask(client) for _ in range(IN_FLIGHT * len(urls))))
        server_s, client_s, idle_s = await watched
    idle = idle_s / seconds / len(os.sched_getaffinity(0))
    return Carried(heard / seconds, 1000 * server_s / heard, 1000 * client_s / heard, idle)


def _idle_s() -> float:
    """Return the time so far that the cores of this process had nothing urgent to do."""
    of_each = psutil.cpu_times(percpu=True)
    return sum(of_each[core].idle + of_each[core].nice for core in os.sched_getaffinity(0))


def _client(urls: list[str], seconds: float, pids: list[int]) -> Carried:
    """Ask, in a process of its own."""
    return asyncio.run(_ask(urls, seconds, pids))


def _recordings() -> list[Recording]:
    return make_recordings(sorted(SAMPLES.glob("*.wav")), 256)


def carry(folder: Path, source: Path, seconds: float, turns: int) -> None:
    """Print what one Triton on one core carries, and two on two."""
    all_cores = os.sched_getaffinity(0)
    first, second = sorted(all_cores)[:2]
    repository = installed(KIND, source, ROOT / ".cache" / "benchmark" / source.name)
    with ExitStack() as stack:
        urls, pids = [], []
        for core in (first, second):
            os.sched_setaffinity(0, {core})  # what is started now stays there
            server = TritonServer([repository], log=folder / f"log{core}")
            urls.append(f"grpc://{stack.enter_context(running(server)).grpc_url}")
            _check_cores(server.pid, {core})
            pids.append(server.pid)
        os.sched_setaffinity(0, all_cores)
        ratios, of_bare = [], []
        for turn in range(turns):
            carried: dict[int, Carried] = {}
            bare: dict[int, float] = {}
            for count in (1, 2) if turn % 2 else (2, 1):
                cores = [first, second][:count]
                carried[count] = _measured(set(cores), urls[:count], seconds, pids[:count])
                bare[count] = _bare(cores, repository, source, seconds / 2)
            ratios.append(carried[2].audio_per_s / carried[1].audio_per_s)
            of_bare.append(bare[2] / bare[1])
            print(
                f"seconds of audio a second: one {carried[1]}, two {carried[2]}, "
                f"{ratios[-1]:.2f} times; bare {bare[1]:.1f}, {bare[2]:.1f}, "
                f"{of_bare[-1]:.2f} times",
                flush=True,
            )
        print(
            f"median {statistics.median(ratios):.2f} times, least {min(ratios):.2f}; "
            f"bare {statistics.median(of_bare):.2f} times"
        )


def _check_cores(pid: int, cores: set[int]) -> None:
    """Raise RuntimeError where a thread of a server or of its models may use other cores."""
    server = psutil.Process(pid)
    for process in (server, *server.children(recursive=True)):
        for thread in process.threads():
            if os.sched_getaffinity(thread.id) != cores:
                raise RuntimeError(f"{process.name()} is not pinned to {cores}")


def _measured(cores: set[int], urls: list[str], seconds: float, pids: list[int]) -> Carried:
    """Run a client on some cores only."""
    spawn = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(1, spawn, os.sched_setaffinity, (0, cores)) as pool:
        return pool.submit(_client, urls, seconds, pids).result()


def _bare(cores: Sequence[int], repository: Path, source: Path, seconds: float) -> float:
    """Return what sessions in processes recognise, each on a core of its own, at the same time."""
    spawn = multiprocessing.get_context("spawn")
    together, told = spawn.Barrier(len(cores)), spawn.SimpleQueue()
    graph = repository / KIND.encoder / VERSION / "model.onnx"
    processes = [
        spawn.Process(target=_recognise_bare, args=(core, graph, source, seconds, together, told))
        for core in cores
    ]
    for process in processes:
        process.start()
    heard: float = sum(told.get() for _ in processes)
    for process in processes:
        process.join()
    return heard


def _recognise_bare(
    core: int, graph: Path, source: Path, seconds: float, together: Barrier, told: Any
) -> None:
    """Be a process of `_bare`."""
    os.sched_setaffinity(0, {core})
    recognise = in_process.bare(graph, source, 1)
    recordings = itertools.cycle(_recordings())
    recognise(next(recordings))
    together.wait()
    begun_s, heard = time.perf_counter(), 0.0
    while time.perf_counter() - begun_s < seconds:
        recording = next(recordings)
        recognise(recording)
        heard += len(recording) / SAMPLE_RATE
    rate = heard / (time.perf_counter() - begun_s)
    together.wait()  # none is alone before all have ended
    told.put(rate)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(description="Several servers beside one.")
    parser.add_argument("what", choices=["cost", "carry"])
    parser.add_argument("--sessions", type=int, default=40, help="of cost, at a time")
    parser.add_argument("--seconds", type=float, default=15.0, help="of carry, for each figure")
    parser.add_argument("--sensevoice", type=Path, default=KIND.embedded,
                        help="of carry, exported model; default: embedded")  # fmt: skip
    parser.add_argument("--turns", type=int, default=5)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        if options.what == "cost":
            cost(Path(folder), options.sessions, options.turns)
        else:
            carry(Path(folder), options.sensevoice, options.seconds, options.turns)
    return 0


if __name__ == "__main__":
    sys.exit(main())
