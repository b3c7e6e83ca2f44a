"""A hub on 127.0.0.1 that speaks what the packages of ModelScope and Hugging Face call.

Both sets of paths are served at once, each from directories laid out as the real repositories:

    ModelScope    GET /api/v1/models/{id}                   the repository exists
                  GET /api/v1/models/{id}/repo/files        listing with SHA-256
                  GET /api/v1/models/{id}/repo?FilePath=    content, with ranges
    Hugging Face  GET /api/models/{id}/revision/{revision}  commit
                  GET /api/models/{id}/tree/{commit}        listing
                  HEAD, GET /{id}/resolve/{commit}/{path}   hash and content, with ranges
"""

from __future__ import annotations

import hashlib
import json
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

COMMIT = hashlib.sha1(b"the only commit").hexdigest()
_LARGE_BYTES = 4096  # from here on a file counts as large: Hugging Face lists its SHA-256


@dataclass
class Hub:
    """What the server holds, and how it misbehaves.

    Attributes:
        repositories: directory of each id.
        cut: file name to the number of bytes after which the connection breaks, once.
        keep_cutting: break it each time.
        wrong: names of files that are served with other content of the same length.
        sent: (file name, first byte, bytes) of each answer with content.
    """

    repositories: dict[str, Path]
    cut: dict[str, int] = field(default_factory=dict)
    keep_cutting: bool = False
    wrong: set[str] = field(default_factory=set)
    sent: list[tuple[str, int, int]] = field(default_factory=list)
    url: str = ""

    def environment(self, cache: Path) -> dict[str, str]:
        """Variables that lead both packages here, with caches of their own."""
        return {
            "MODELSCOPE_ENDPOINT": self.url,
            "MODELSCOPE_CACHE": str(cache / "modelscope"),
            "MODELSCOPE_HOME": str(cache / "modelscope-home"),
            "MODELSCOPE_DOWNLOAD_INTRA_CLOUD": "false",
            "MODELSCOPE_DOWNLOAD_MAX_RETRIES": "2",
            "MODELSCOPE_API_MAX_RETRIES": "1",
            "HF_ENDPOINT": self.url,
            "HF_HOME": str(cache / "huggingface"),
            "HF_HUB_DISABLE_TELEMETRY": "1",
            "NO_PROXY": "*",
        }

    def names_sent(self) -> list[str]:
        """Names of the files that were asked for."""
        return [name for name, _, _ in self.sent]


@contextmanager
def serve_hub(repositories: dict[str, Path]) -> Iterator[Hub]:
    """Serve directories as repositories until the block ends."""
    hub = Hub(repositories)

    class Handler(_Handler):
        state = hub

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    state: Hub

    def do_HEAD(self) -> None:
        self._dispatch()

    def do_GET(self) -> None:
        self._dispatch()

    def log_message(self, *_: object) -> None:
        pass

    def _dispatch(self) -> None:
        url = urlsplit(self.path)
        path, query = unquote(url.path), parse_qs(url.query)
        for pattern, answer in (
            (r"/api/v1/models/([^/]+/[^/]+)/repo/files", self._modelscope_listing),
            (r"/api/v1/models/([^/]+/[^/]+)/repo", self._modelscope_file),
            (r"/api/v1/models/([^/]+/[^/]+)", self._modelscope_repository),
            (r"/api/models/([^/]+/[^/]+)/revision/(.+)", self._huggingface_revision),
            (r"/api/models/([^/]+/[^/]+)/tree/([^/]+)", self._huggingface_tree),
            (r"/([^/]+/[^/]+)/resolve/([^/]+)/(.+)", self._huggingface_file),
        ):
            if match := re.fullmatch(pattern, path):
                directory = self.state.repositories.get(match[1])
                if directory is None:
                    self._json({"error": "Repository not found"}, 404, "RepoNotFound")
                else:
                    answer(directory, query, *match.groups()[1:])
                return
        self._json({"error": f"no such path: {path}"}, 404)

    def _modelscope_repository(self, directory: Path, query: dict[str, list[str]]) -> None:
        self._json({"Code": 200, "Success": True, "Data": {"Name": directory.name}})

    def _modelscope_listing(self, directory: Path, query: dict[str, list[str]]) -> None:
        if query["Revision"][0] not in ("master", "v1"):
            self._json({"Code": 404, "Success": False, "Message": "no such revision"}, 404)
            return
        files = [
            {
                "Name": path.name,
                "Path": name,
                "Type": "blob",
                "Size": path.stat().st_size,
                "Sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
                "Revision": COMMIT,
            }
            for name, path in _files(directory)
        ]
        self._json({"Code": 200, "Success": True, "Data": {"Files": files}})

    def _modelscope_file(self, directory: Path, query: dict[str, list[str]]) -> None:
        self._content(directory / query["FilePath"][0], {})

    def _huggingface_revision(self, directory: Path, query: object, revision: str) -> None:
        if revision not in ("main", COMMIT):
            self._json({"error": "no such revision"}, 404, "RevisionNotFound")
            return
        siblings = [{"rfilename": name} for name, _ in _files(directory)]
        self._json({"id": directory.name, "sha": COMMIT, "siblings": siblings})

    def _huggingface_tree(self, directory: Path, query: object, commit: str) -> None:
        entries = []
        for name, path in _files(directory):
            entry: dict[str, object] = {
                "type": "file",
                "path": name,
                "size": path.stat().st_size,
                "oid": _git_hash(path),
            }
            if _is_large(path):
                entry["lfs"] = {
                    "oid": hashlib.sha256(path.read_bytes()).hexdigest(),
                    "size": path.stat().st_size,
                    "pointerSize": 130,
                }
            entries.append(entry)
        self._json(entries)

    def _huggingface_file(self, directory: Path, query: object, commit: str, name: str) -> None:
        path = directory / name
        headers = {"X-Repo-Commit": COMMIT}
        if path.is_file():
            headers["ETag"] = f'"{_git_hash(path)}"'
            if _is_large(path):
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                headers |= {"X-Linked-ETag": f'"{digest}"', "X-Linked-Size": str(_size(path))}
        self._content(path, headers)

    def _content(self, path: Path, headers: dict[str, str]) -> None:
        if not path.is_file():
            self._json({"error": "Entry not found"}, 404, "EntryNotFound")
            return
        content = path.read_bytes()
        if path.name in self.state.wrong:
            content = content[::-1]
        start = 0
        if match := re.fullmatch(r"bytes=(\d+)-", self.headers.get("Range", "")):
            start = int(match[1])
            headers["Content-Range"] = f"bytes {start}-{len(content) - 1}/{len(content)}"
        body = content[start:]
        self.send_response(206 if start else 200)
        for key, value in headers.items():
            self.send_header(key, value)
        self.send_header("Accept-Ranges", "bytes")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if self.command == "HEAD":
            return
        cut = self.state.cut.get(path.name)
        if cut is not None and not self.state.keep_cutting:
            del self.state.cut[path.name]
        if cut is not None:
            body = body[:cut]
            self.close_connection = True
        self.state.sent.append((path.name, start, len(body)))
        self.wfile.write(body)

    def _json(self, value: object, status: int = 200, error_code: str = "") -> None:
        body = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        if error_code:
            self.send_header("X-Error-Code", error_code)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)


def _files(directory: Path) -> Iterator[tuple[str, Path]]:
    for path in sorted(directory.rglob("*")):
        if path.is_file():
            yield path.relative_to(directory).as_posix(), path


def _size(path: Path) -> int:
    return path.stat().st_size


def _is_large(path: Path) -> bool:
    return _size(path) >= _LARGE_BYTES


def _git_hash(path: Path) -> str:
    content = path.read_bytes()
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()
