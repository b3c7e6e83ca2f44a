"""Starts, watches and stops a real `tritonserver` (found by `installation`).

The server listens on 127.0.0.1 unless told otherwise and ends with the process (more exactly:
the thread) that started it.

    with TritonServer([Path("model_repo_sensevoice")], log=Path("server.log")) as server:
        server.wait_ready(60)
        client = tritonclient.grpc.InferenceServerClient(server.grpc_url)
"""

from __future__ import annotations

import http.client
import re
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType

from asr_server.run.flags import ServerFlags
from asr_server.run.installation import (
    TritonInstallation,
    TritonServerError,
    assemble_backends,
    find_installation,
    server_environment,
)
from asr_server.run.instances import with_instances
from asr_server.run.ports import held_ports
from asr_server.run.processes import bound_to_starter, kill_process, session_members, stub_instances

# How Triton logs a model that does not load; a Python model's traceback follows the message.
_LOAD_FAILURE = re.compile(r"\"failed to load '([^']+)' version \d+: (.*)\"")
_TRACEBACK = r"\n\nAt:"


class TritonServer:
    """One `tritonserver` process with its stubs, as a context manager.

    The process leads a session of its own, so that all of it can be found and ended. It gets
    SIGTERM when the thread that called `start` ends: call it from one that lives long enough.

    Attributes:
        command: the words it was started with; empty before `start`.
    """

    def __init__(
        self,
        model_repositories: Sequence[Path],
        *,
        http_port: int = 0,
        grpc_port: int = 0,
        metrics_port: int = 0,
        host: str = "127.0.0.1",
        log: Path,
        extra_args: Sequence[str] = (),
        env: Mapping[str, str] | None = None,
        flags: ServerFlags | None = None,
        installation: TritonInstallation | None = None,
        instances: Mapping[str, int] | None = None,
    ) -> None:
        """Say what to start; nothing starts yet.

        Args:
            model_repositories: folders of models.
            http_port: 0 picks a free one.
            grpc_port: the same.
            metrics_port: the same.
            host: the address all three listen on.
            log: gets standard output and error of the server and its stubs, appended.
            extra_args: further words for the command line.
            env: additions to the environment.
            flags: what has a name of its own on the command line.
            installation: the server, else `find_installation()`.
            instances: processes of the models whose configuration leaves it to serving.
        """
        self._repositories = [Path(path).resolve() for path in model_repositories]
        self._ports = [http_port, grpc_port, metrics_port]
        self._host = host
        self._log = Path(log)
        self._extra_args = list(extra_args)
        self._env = dict(env or {})
        self._flags = flags or ServerFlags()
        self._installation = installation
        self._instances_wanted = dict(instances or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._held = ExitStack()  # ports; Triton takes them only when its models are loaded
        self._work: Path | None = None
        self._log_start = 0
        self._instances: set[str] = set()
        self.command: list[str] = []

    @property
    def http_url(self) -> str:
        """host:port, as tritonclient wants it (no scheme)."""
        return f"{self._host}:{self._ports[0]}"

    @property
    def grpc_url(self) -> str:
        """host:port."""
        return f"{self._host}:{self._ports[1]}"

    @property
    def metrics_url(self) -> str:
        """The Prometheus page, with scheme."""
        return f"http://{self._host}:{self._ports[2]}/metrics"

    @property
    def pid(self) -> int:
        """The server's process id.

        Raises:
            TritonServerError: it was not started.
        """
        return self._started().pid

    def __enter__(self) -> TritonServer:
        """Start it; `wait_ready` is the caller's, who knows how long the models take."""
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Stop it."""
        self.stop()

    def start(self) -> None:
        """Start the process and return at once; see `wait_ready`.

        Raises:
            TritonServerError: already started, no server, or a repository that does not exist.
        """
        if self._process is not None:
            raise TritonServerError(f"the server is already started, process {self.pid}")
        for repository in self._repositories:
            if not repository.is_dir():
                raise TritonServerError(f"model repository {repository} is not a folder")
        installation = self._installation or find_installation()
        chosen = iter(self._held.enter_context(held_ports(3, self._host)))
        self._ports = [port or next(chosen) for port in self._ports]
        self._work = Path(tempfile.mkdtemp(prefix="tritonserver-"))
        backends = assemble_backends(installation, self._work / "backends")
        env = server_environment(installation, self._work, self._env)
        repositories = with_instances(
            self._repositories, self._instances_wanted, self._work / "models"
        )
        self.command = [str(installation.binary), *self._arguments(backends, repositories)]
        self._log.parent.mkdir(parents=True, exist_ok=True)
        with self._log.open("ab") as log:
            self._log_start = log.tell()
            self._process = subprocess.Popen(
                bound_to_starter(self.command),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )

    def _arguments(self, backends: Path, repositories: Sequence[Path]) -> list[str]:
        """Return the command line without the program."""
        http_port, grpc_port, metrics_port = self._ports
        return [
            *(f"--model-repository={path}" for path in repositories),
            f"--backend-directory={backends}",
            f"--http-address={self._host}",
            f"--http-port={http_port}",
            f"--grpc-address={self._host}",
            f"--grpc-port={grpc_port}",
            f"--metrics-address={self._host}",
            f"--metrics-port={metrics_port}",
            # a name of its own lets `stop` remove what a killed server leaves in /dev/shm
            f"--backend-config=python,shm-region-prefix-name={self._shm_prefix}",
            *self._flags.arguments(),
            *self._extra_args,
        ]

    @property
    def _shm_prefix(self) -> str:
        """Start of the names of this server's shared-memory regions."""
        return self._work.name if self._work is not None else "tritonserver"

    def wait_ready(self, timeout: float = 60.0) -> None:
        """Wait until the server answers that it is ready.

        Args:
            timeout: seconds.

        Raises:
            TritonServerError: it ended or did not become ready in time; the message has the
                end of its log.
        """
        process = self._started()
        deadline = time.monotonic() + timeout
        while time.monotonic() < deadline:
            if process.poll() is not None:
                raise TritonServerError(
                    f"tritonserver ended with status {process.returncode} before it was ready; "
                    f"{self._reason_for_ending()}"
                )
            if self._is_ready():
                self._instances = stub_instances(process.pid)
                return
            time.sleep(0.05)
        raise TritonServerError(
            f"tritonserver was not ready after {timeout:g} s; "
            f"end of {self._log}:\n{self.log_tail()}"
        )

    def is_running(self) -> bool:
        """Return whether the process was started and still lives."""
        return self._process is not None and self._process.poll() is None

    def lost_models(self) -> list[str]:
        """Return models whose Python process was there when it became ready, and is gone now.

        Triton goes on reporting itself and such a model as ready, while every request to the
        model fails.
        """
        alive = stub_instances(self.pid)
        return sorted(name for name in self._instances if name not in alive)

    def _is_ready(self) -> bool:
        """Return whether it is, by one look at /v2/health/ready."""
        connection = http.client.HTTPConnection(self._connect_host, self._ports[0], timeout=5)
        try:
            connection.request("GET", "/v2/health/ready")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()

    @property
    def _connect_host(self) -> str:
        """Where to connect; the any-address is not one."""
        return {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self._host, self._host)

    def _reason_for_ending(self) -> str:
        """Return the models that did not load and why, else the end of the log."""
        failures = [
            f"  {model}: {reason.partition(_TRACEBACK)[0]}"
            for model, reason in _LOAD_FAILURE.findall(self.log_text())
        ]
        if failures:
            return "\n".join([f"models that did not load (log: {self._log}):", *failures])
        return f"end of {self._log}:\n{self.log_tail()}"

    def log_text(self) -> str:
        """Return what this start has written to the log so far."""
        with self._log.open("rb") as log:
            log.seek(self._log_start)
            return log.read().decode(errors="replace")

    def log_tail(self, lines: int = 40) -> str:
        """Return the last lines of `log_text`."""
        return "\n".join(self.log_text().splitlines()[-lines:])

    def stop(self, grace: float = 20.0) -> None:
        """End the server and its stubs, and wait until none is left. Harmless if not running.

        Args:
            grace: seconds between SIGTERM and SIGKILL.
        """
        process, self._process = self._process, None
        if process is None:
            return
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(grace)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        # Stubs end by themselves when they miss their server, but slowly.
        deadline = time.monotonic() + 2.0
        while left := session_members(process.pid):
            if time.monotonic() > deadline:
                for member in left:
                    kill_process(member)
            time.sleep(0.02)
        for region in Path("/dev/shm").glob(f"{self._shm_prefix}*"):
            region.unlink(missing_ok=True)
        self._held.close()
        if self._work is not None:
            shutil.rmtree(self._work, ignore_errors=True)
            self._work = None

    def _started(self) -> subprocess.Popen[bytes]:
        """Return the process.

        Raises:
            TritonServerError: there is none.
        """
        if self._process is None:
            raise TritonServerError("the server is not started")
        return self._process
