"""One attack on a server that runs, beside those who use it, and what it must leave as it was."""

from __future__ import annotations

import random
import signal
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from asr_gateway.shared.settings import GatewaySettings
from tests.gateway.gateways import RunningGateway
from tests.serve_command import Serving
from tests.soak.attack.faults import Faults
from tests.soak.attack.footprint import Footprint, process_names, settled, wait_until_back
from tests.soak.attack.senders import Attack
from tests.soak.attack.users import Period, Users

FAULT_PAUSE_S = 15.0
_SHOWN = 20


def attack(
    server: Serving,
    *,
    seed: int,
    messages: int,
    duration_s: float,
    temporary: Path,
    start_again: Callable[[], Serving] | None = None,
    cold_starts: int = 1,
    disk: Path | None = None,
) -> None:
    """Send hostile messages while the service is used, and assert that nobody suffers by it.

    Args:
        server: with a gateway.
        messages: how many, within `duration_s` seconds.
        temporary: where it keeps temporary files.
        start_again: starts the server anew, which has ended, at the same ports; where it is given,
            processes die and stop, too.
        cold_starts: how many are measured first, beside the attackers and the users. No process
            may take 1.2 times the slowest of them to come back.
        disk: a small one that may be filled.
    """
    gateway = RunningGateway(f"127.0.0.1:{server.gateway_port}", GatewaySettings())
    users = Users(server, gateway)
    before, running = Footprint.of(server, temporary), process_names(server)
    sending = Attack(server, seed, messages)
    slowest_s = 0.0
    cold_s: list[float] = []
    back_s: list[float] = []
    ended: list[Period] = []
    begun_s = time.monotonic()
    sending.start()
    try:
        if start_again is not None:
            _wait_until_under_way(sending)
        users.start()
        for _ in range(cold_starts if start_again else 0):
            ended_s = time.monotonic()
            server, took_s = _started_beside(server, start_again)
            ended.append((ended_s, time.monotonic()))
            cold_s.append(took_s)
            users.wait_until_all_answer()  # whom the attackers kept asking may look a moment later
        injected = Faults(server, disk, random.Random(seed))
        while time.monotonic() - begun_s < duration_s:
            pause_s = FAULT_PAUSE_S * random.Random(f"{seed}{slowest_s}").random()
            if sending.wait(pause_s if cold_s else 1.0):
                break
            if cold_s:
                injected.inject()
                back_s.append(wait_until_back(server, running))
                slowest_s = max(slowest_s, users.wait_until_all_answer())
    finally:
        sending.stop()
        elapsed_s = time.monotonic() - begun_s
        users.stop()
    slowest_back_s, slowest_cold_s = max(back_s, default=0.0), max(cold_s, default=0.0)
    unexplained = users.unexplained([*ended, *injected.periods], slowest_back_s + slowest_s)
    print(
        f"\n{sum(sending.sent.values())} messages in {elapsed_s:.0f} s {sending.sent}; "
        f"{len(injected.names)} faults {injected.names}; right {users.right}, "
        f"told {len(users.told)}, unexplained {len(unexplained)}, wrong {len(users.wrong)}; "
        f"processes back in {slowest_back_s:.1f} s, cold starts {_seconds(cold_s)}; all kinds of "
        f"requests answered, one after the other, in {slowest_s:.1f} s"
    )
    for text, count in Counter(text for _, text in users.told).most_common(_SHOWN):
        print(f"told {count} times: {text}")
    for (begun, undone), text in users.wrong[:_SHOWN]:
        print(f"wrong, {begun - begun_s:.1f} to {undone - begun_s:.1f} s: {text}")
    for (begun, undone), text in unexplained[:_SHOWN]:
        print(f"unexplained, {begun - begun_s:.1f} to {undone - begun_s:.1f} s: {text}")
    for name, (begun, undone), took_s in zip(injected.names, injected.periods, back_s, strict=True):
        print(f"{begun - begun_s:.1f} to {undone - begun_s:.1f} s: {name}; back in {took_s:.1f} s")
    assert users.wrong == []
    assert unexplained == []
    assert users.right
    if cold_s:
        assert slowest_back_s < 1.2 * slowest_cold_s
    after = settled(server, temporary, before)
    print(f"before {before}\nafter  {after}, more: {after.descriptors - before.descriptors}")


def _started_beside(server: Serving, start_again: Callable[[], Serving]) -> tuple[Serving, float]:
    """Start a server anew beside the attackers, whom whatever is started later has beside it, too.

    Returns:
        The server that runs then, and how long it took to start, in seconds.
    """
    while True:
        server.process.send_signal(signal.SIGINT)  # which waits for nobody
        server.process.wait()
        begun_s = time.monotonic()
        server = start_again()
        if "starting it anew" not in server.said:  # else it crashed, and that took time
            return server, time.monotonic() - begun_s
        print(server.said)


def _seconds(durations_s: list[float]) -> str:
    return ", ".join(f"{each:.1f}" for each in durations_s) + " s"


def _wait_until_under_way(sending: Attack) -> None:
    while min(sending.sent.values()) == 0 and not sending.wait(0.2):
        pass
