"""Starts, watches and stops a real `tritonserver` (found by `installation`).

The server listens on 127.0.0.1, or on Unix sockets, unless told otherwise, and ends with the
process that started it.

    with TritonServer([Path("model_repo_sensevoice")], log=Path("server.log")) as server:
        server.wait_ready(60)
        client = tritonclient.grpc.InferenceServerClient(server.grpc_url)
"""

from __future__ import annotations

import http.client
import shutil
import subprocess
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

from asr_server.run.completion import completion_arguments
from asr_server.run.control import ModelControl
from asr_server.run.flags import ServerFlags
from asr_server.run.installation import (
    TritonInstallation,
    TritonServerError,
    assemble_backends,
    find_installation,
    server_environment,
)
from asr_server.run.instances import with_instances
from asr_server.run.late_stubs import LateStubs
from asr_server.run.listening import Listening, Ports
from asr_server.run.lost_instances import ModelInstances
from asr_server.run.processes import end_session, start_bound, stub_processes
from asr_server.run.triton_log import TritonLog

_LOOK_S = 0.2


class TritonServer:
    """One `tritonserver` process with its stubs, as a context manager.

    The process leads a session of its own, so that all of it can be found and ended. It gets
    SIGTERM when the process that called `start` ends.

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
        listening: Listening | None = None,
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
            listening: where else than on ports; they and `host` do not count then.
            log: gets standard output and error of the server and its stubs, appended.
            extra_args: further words for the command line.
            env: additions to the environment.
            flags: what has a name of its own on the command line.
            installation: the server, else `find_installation()`.
            instances: processes of the models whose configuration leaves it to serving.
        """
        self._repositories = [Path(path).resolve() for path in model_repositories]
        self._ports = Ports(host, [http_port, grpc_port, metrics_port])
        self._listening = listening or self._ports
        self._log = TritonLog(Path(log))
        self._extra_args = list(extra_args)
        self._env = dict(env or {})
        self._flags = flags or ServerFlags()
        self._installation = installation
        self._instances_wanted = dict(instances or {})
        self._process: subprocess.Popen[bytes] | None = None
        self._work: Path | None = None
        self._instances = ModelInstances()
        self._was_ready = False
        self._late_stubs = LateStubs()
        self._looked_s = 0.0
        self._stands_still = False
        self.command: list[str] = []

    @property
    def http_url(self) -> str:
        """host:port, as tritonclient wants it (no scheme)."""
        return self._ports.url(0)

    @property
    def grpc_url(self) -> str:
        """host:port."""
        return self._ports.url(1)

    @property
    def metrics_url(self) -> str:
        """The Prometheus page, with scheme."""
        return f"http://{self._ports.url(2)}/metrics"

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

    def __exit__(self, *error: object) -> None:
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
        self._listening.hold()
        self._work = _work_folder()
        try:
            backends = assemble_backends(installation, self._work / "backends")
        except TritonServerError:
            self.stop()
            raise
        env = server_environment(installation, self._work, self._env)
        repositories = with_instances(
            self._repositories, self._instances_wanted, self._work / "models"
        )
        self.command = [str(installation.binary), *self._arguments(backends, repositories)]
        self._was_ready = self._stands_still = False
        self._late_stubs = LateStubs()
        with self._log.open() as log:
            self._process = start_bound(
                self.command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=env,
                start_new_session=True,
            )

    def _arguments(self, backends: Path, repositories: Sequence[Path]) -> list[str]:
        """Return the command line without the program."""
        return [
            *(f"--model-repository={path}" for path in repositories),
            f"--backend-directory={backends}",
            *self._listening.arguments(),
            *completion_arguments(self._repositories),
            # a name of its own lets `stop` remove what a killed server leaves in /dev/shm
            f"--backend-config=python,shm-region-prefix-name={self._shm_prefix}",
            *self._flags.arguments(),
            *self._extra_args,
        ]

    @property
    def _shm_prefix(self) -> str:
        """Start of the names of this server's shared-memory regions."""
        return self._work.name if self._work is not None else "tritonserver"

    def wait_ready(self, timeout: float) -> None:
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
                raise TritonServerError(f"tritonserver {self.reason_for_ending()}")
            if self.is_ready():
                return
            self.look_after_loading()
            time.sleep(0.05)
        raise TritonServerError(
            f"tritonserver was not ready after {timeout:g} s; "
            f"end of {self._log.path}:\n{self._log.tail()}"
        )

    def is_running(self) -> bool:
        """Return whether the process was started and still lives."""
        return self._process is not None and self._process.poll() is None

    def look_after_loading(self) -> None:
        """Keep what is being loaded from standing still; whoever waits for it calls this often.

        See `late_stubs`.
        """
        if time.monotonic() - self._looked_s < _LOOK_S or not self.is_running():
            return
        self._looked_s = time.monotonic()
        if not self._late_stubs.look(self.pid, self._log.loads()):
            self._stands_still = True
            self._started().kill()

    def lost_models(self) -> list[str]:
        """Return instances of models whose process has died; see `lost_instances.ModelInstances`.

        Nothing may be being loaded.
        """
        stubs = stub_processes(self.pid)
        self._late_stubs.settle(stubs)
        return self._instances.lost(stubs.values(), self.control)

    def reload(self, instances: Sequence[str], timeout_s: float) -> None:
        """Load the models of lost instances anew; as `lost_instances.ModelInstances.reload`."""
        self._instances.reload(instances, self.pid, self.control, timeout_s)

    @property
    def control(self) -> ModelControl:
        """What loads and unloads its models."""
        return ModelControl(self._listening.connection, is_running=self._runs_while_it_loads)

    def _runs_while_it_loads(self) -> bool:
        self.look_after_loading()
        return self.is_running()

    def is_ready(self) -> bool:
        """Return whether it says so, by one look at /v2/health/ready."""
        connection = self._listening.connection(1.0 if self._was_ready else 5.0)
        try:
            connection.request("GET", "/v2/health/ready")
            is_ready = connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()
        if is_ready and not self._was_ready:
            self._instances = ModelInstances(self.pid)
            self._late_stubs.settle(stub_processes(self.pid))
            self._was_ready = True
        return is_ready

    def log_text(self) -> str:
        """Return what this start has written to the log so far."""
        return self._log.text()

    def loaded_models(self) -> set[str]:
        """Return the models that this start has loaded so far."""
        return self._log.loaded_models()

    def reason_for_ending(self) -> str:
        """Return how it ended; of its start also which models did not load, else the log's end."""
        process = self._started()
        if self._stands_still:
            return f"waited for the process of a model that had died (log: {self._log.path})"
        state = (
            "does not answer"
            if process.poll() is None
            else f"ended with status {process.returncode}"
        )
        if self._was_ready:
            return f"{state} (log: {self._log.path})"
        return f"{state} before it was ready; {self._log.reason_for_ending()}"

    def has_crashed(self) -> bool:
        """Return whether a signal ended it, or a model's process that was late.

        Triton 24.10 waits a second for a stub to say that it lives. On a busy machine that is too
        short: the model does not load, or the stub reads what was freed meanwhile and dies with a
        lock of the memory that it shares with Triton, which aborts then.
        """
        status = self._started().poll()
        return status is not None and (status < 0 or self._log.tells_of_late_stubs())

    def stop(self, grace: float = 20.0) -> None:
        """End the server and its stubs, and wait until none is left. Harmless if not running.

        Args:
            grace: seconds between SIGTERM and SIGKILL. A server that was never ready is killed at
                once: it does not listen to SIGTERM before its models are loaded, and has nothing
                to lose.
        """
        process, self._process = self._process, None
        if process is not None:
            end_session(process, grace if self._was_ready else 0.0)
            for region in Path("/dev/shm").glob(f"{self._shm_prefix}*"):
                region.unlink(missing_ok=True)
        self._listening.release()
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


def _work_folder() -> Path:
    """Return a new temporary folder.

    Raises:
        TritonServerError: there is none.
    """
    try:
        return Path(tempfile.mkdtemp(prefix="tritonserver-"))
    except OSError as error:
        raise TritonServerError(
            f"no temporary folder can be made ({error}); TMPDIR names another"
        ) from error
