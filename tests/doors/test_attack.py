"""The standing attack in its short form; the long one is in tests/soak/attack."""

from __future__ import annotations

from tests.doors.test_restarts import KINDS_SERVED
from tests.serve_command import serving
from tests.serving import EMBEDDED, install_models
from tests.soak.attack.run import attack

MESSAGES = 3_000
DURATION_S = 15.0


def test_nobody_suffers_by_hostile_messages(tmp_path, monkeypatch):
    repositories = install_models(tmp_path, {name: EMBEDDED[name] for name in KINDS_SERVED})
    temporary = tmp_path / "temporary"
    temporary.mkdir()
    monkeypatch.setenv("TMPDIR", str(temporary))
    with serving(repositories, tmp_path / "server.log", gateway=True) as server:
        attack(
            server,
            seed=15,
            messages=MESSAGES,
            duration_s=DURATION_S,
            temporary=temporary,
        )
    for log in (tmp_path / "server.log", server.output):
        assert "Traceback" not in log.read_text(errors="replace"), log
