"""One attack on a server that runs, beside those who use it, and what it must leave as it was."""

from __future__ import annotations

import asyncio
import random
import threading
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import psutil

from asr_gateway.shared.settings import GatewaySettings
from tests.gateway.gateways import RunningGateway
from tests.serve_command import Serving
from tests.soak.attack.faults import Faults
from tests.soak.attack.senders import Attack
from tests.soak.attack.users import Users

FAULT_PAUSE_S = 15.0
SETTLED_S = 90.0  # longer than the idle time of a sequence
_SHOWN = 20


@dataclass(frozen=True)
class Footprint:
    """What a server holds of the machine."""

    memory_mb: float
    descriptors: int
    sequences: float
    files: int

    @classmethod
    def of(cls, server: Serving, temporary: Path) -> Footprint:
        """Look at it now."""
        descriptors = 0
        for process in server.family():
            try:
                descriptors += process.num_fds()
            except psutil.Error:
                continue  # it ended meanwhile
        with urlopen(f"http://127.0.0.1:{server.metrics_port}/metrics", timeout=30) as page:
            lines = page.read().decode().splitlines()
        sequences = sum(
            float(line.split()[-1]) for line in lines if line.startswith("asr_open_sessions{")
        )
        files = sum(1 for path in temporary.rglob("*") if path.is_file())
        return cls(server.memory_mb(), descriptors, sequences, files)


def attack(
    server: Serving,
    *,
    seed: int,
    messages: int,
    duration_s: float,
    cold_s: float,
    temporary: Path,
    faults: bool = False,
    disk: Path | None = None,
) -> None:
    """Send hostile messages while the service is used, and assert that nobody suffers by it.

    Args:
        server: with a gateway.
        messages: how many, within `duration_s` seconds.
        cold_s: how long the server took to start.
        temporary: where it keeps temporary files.
        faults: whether processes die and stop, too.
        disk: a small one that may be filled.
    """
    gateway = RunningGateway(f"127.0.0.1:{server.gateway_port}", GatewaySettings())
    users = Users(server, gateway)
    before = Footprint.of(server, temporary)
    injected = Faults(server, disk, random.Random(seed))
    sending = Attack(server, seed, messages)
    sender = threading.Thread(target=lambda: asyncio.run(sending.run()))
    users.start()
    begun_s = time.monotonic()
    sender.start()
    slowest_s = 0.0
    while sender.is_alive() and time.monotonic() - begun_s < duration_s:
        if faults:
            sender.join(FAULT_PAUSE_S * random.Random(f"{seed}{slowest_s}").random())
            injected.inject()
            slowest_s = max(slowest_s, users.wait_until_all_answer())
        else:
            sender.join(1)
    sending.over = True
    sender.join()
    elapsed_s = time.monotonic() - begun_s
    users.stop()
    unexplained = users.unexplained(injected.periods, slowest_s)
    print(
        f"\n{sum(sending.sent.values())} messages in {elapsed_s:.0f} s {sending.sent}; "
        f"{len(injected.names)} faults {injected.names}; right {users.right}, "
        f"told {len(users.told)}, unexplained {len(unexplained)}, wrong {len(users.wrong)}; "
        f"slowest return {slowest_s:.1f} s, cold start {cold_s:.1f} s"
    )
    for text, count in Counter(text for _, text in users.told).most_common(_SHOWN):
        print(f"told {count} times: {text}")
    for (begun, ended), text in users.wrong[:_SHOWN]:
        print(f"wrong, {begun - begun_s:.1f} to {ended - begun_s:.1f} s: {text}")
    for (begun, ended), text in unexplained[:_SHOWN]:
        print(f"unexplained, {begun - begun_s:.1f} to {ended - begun_s:.1f} s: {text}")
    for name, (begun, ended) in zip(injected.names, injected.periods, strict=True):
        print(f"{begun - begun_s:.1f} to {ended - begun_s:.1f} s: {name}")
    assert users.wrong == []
    assert unexplained == []
    assert users.right
    if faults:
        assert slowest_s < 1.2 * cold_s + 10  # and the requests themselves, beside the attack
    after = settled(server, temporary, before)
    print(f"before {before}\nafter  {after}")


def settled(server: Serving, temporary: Path, before: Footprint) -> Footprint:
    """Wait until a server holds what it held before.

    Raises:
        AssertionError: it does not.
    """
    deadline = time.monotonic() + SETTLED_S
    while True:
        after = Footprint.of(server, temporary)
        same = (
            after.sequences == 0
            and after.files <= before.files
            and after.descriptors < before.descriptors + 50
            and after.memory_mb < 1.3 * before.memory_mb + 200
        )
        if same:
            return after
        assert time.monotonic() < deadline, f"before {before}, after {after}"
        time.sleep(1)
