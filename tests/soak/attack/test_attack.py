"""Everything at once, for long: hostile messages at every door, bombs, deaths, a full disk.

ATTACK_MESSAGES=1000000 ATTACK_S=3600 pytest -m soak -s tests/soak/attack
"""

from __future__ import annotations

import os
import time

import pytest

from tests.serve_command import serving
from tests.serving import EMBEDDED, install_models
from tests.soak.attack.faults import small_disk
from tests.soak.attack.run import attack

pytestmark = pytest.mark.soak

SEED = int(os.environ.get("ATTACK_SEED", "15"))
MESSAGES = int(os.environ.get("ATTACK_MESSAGES", "100000"))
DURATION_S = float(os.environ.get("ATTACK_S", "900"))


@pytest.mark.parametrize("faults", [False, True], ids=["messages", "messages and faults"])
def test_nobody_suffers(tmp_path, monkeypatch, faults):
    repositories = install_models(tmp_path, EMBEDDED)

    def cold_start() -> float:
        while True:
            begun_s = time.monotonic()
            with serving(repositories, tmp_path / "another.log", gateway=True) as another:
                took_s = time.monotonic() - begun_s
            if "starting it anew" not in another.said:  # else it has crashed meanwhile
                return took_s
            print(another.said)

    with small_disk(tmp_path / "disk") as disk:
        temporary = disk or tmp_path / "temporary"
        temporary.mkdir(exist_ok=True)
        monkeypatch.setenv("TMPDIR", str(temporary))
        with serving(repositories, tmp_path / "server.log", gateway=True) as server:
            attack(
                server,
                seed=SEED,
                messages=MESSAGES,
                duration_s=DURATION_S,
                temporary=temporary,
                cold_start=cold_start if faults else None,
                disk=disk if faults else None,
            )
    for log in (tmp_path / "server.log", server.output):
        assert "Traceback" not in log.read_text(errors="replace"), log
