"""Serves the page without a gateway, for what needs none."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

STATIC = Path(__file__).resolve().parents[2] / "clients" / "asr_gateway" / "static"


# At least as strict as what the gateway sends.
POLICY = "default-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'none'"


class _Handler(SimpleHTTPRequestHandler):
    def __init__(self, *arguments: Any, policy: str | None, **options: Any) -> None:
        self.policy = policy
        super().__init__(*arguments, **options)

    def translate_path(self, path: str) -> str:
        return super().translate_path(
            "/index.html" if path == "/" else path.removeprefix("/static")
        )

    def end_headers(self) -> None:
        if self.policy is not None:
            self.send_header("Content-Security-Policy", self.policy)
        super().end_headers()

    def log_message(self, format: str, *arguments: object) -> None:
        pass  # the tests look at the page


@contextmanager
def static_server(folder: Path = STATIC, policy: str | None = POLICY) -> Iterator[str]:
    """Serve a page and its files on a free port; yields its address."""
    handler = partial(_Handler, directory=str(folder), policy=policy)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
