"""Everything at once, for long: hostile messages at every door, bombs, deaths, a full disk.

ATTACK_MESSAGES=1000000 ATTACK_S=3600 pytest -m soak -s tests/soak/attack
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial

import pytest

from tests.serve_command import Serving, serving
from tests.serving import EMBEDDED, install_models
from tests.soak.attack.faults import small_disk
from tests.soak.attack.run import attack

pytestmark = pytest.mark.soak

SEED = int(os.environ.get("ATTACK_SEED", "15"))
MESSAGES = int(os.environ.get("ATTACK_MESSAGES", "100000"))
DURATION_S = float(os.environ.get("ATTACK_S", "900"))
COLD_STARTS = 1 + int(DURATION_S // 250)


@pytest.mark.parametrize("faults", [False, True], ids=["messages", "messages and faults"])
def test_nobody_suffers(tmp_path, monkeypatch, faults):
    repositories = install_models(tmp_path, EMBEDDED)
    logs = []
    with ExitStack() as stack:
        disk = stack.enter_context(small_disk(tmp_path / "disk"))
        temporary = disk or tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        monkeypatch.setenv("TMPDIR", str(temporary))

        def start(ports: Sequence[int] | None = None) -> Serving:
            log = tmp_path / f"server{len(logs)}.log"
            starting = serving(repositories, log, gateway=True, ports=ports)
            server = stack.enter_context(starting)
            logs.extend((log, server.output))
            return server

        server = start()
        attack(
            server,
            seed=SEED,
            messages=MESSAGES,
            duration_s=DURATION_S,
            temporary=temporary,
            start_again=partial(start, server.ports) if faults else None,
            cold_starts=COLD_STARTS,
            disk=disk if faults else None,
        )
    for log in logs:
        assert "Traceback" not in log.read_text(errors="replace"), log
