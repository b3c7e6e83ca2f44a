"""sherpa-onnx's websocket servers (wheel `sherpa-onnx-bin`) and their protocol."""

from __future__ import annotations

import shutil
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import psutil
from websockets.exceptions import WebSocketException
from websockets.sync.client import connect

from asr_core.fbank import SAMPLE_RATE
from scripts.benchmark.workload import Recording
from scripts.triton_server import free_ports

_STEP_S = 0.2


class SherpaServer:
    """A server process, as a context manager.

    Args:
        program: "sherpa-onnx-offline-websocket-server" or "sherpa-onnx-online-…".
        options: its command-line options besides the port.
        log: its output.
    """

    def __init__(self, program: str, options: dict[str, str], log: Path) -> None:
        path = Path(sys.executable).parent / program
        found = str(path) if path.exists() else shutil.which(program)
        if found is None:
            raise FileNotFoundError(f'{program}: not found, pip install "triton-asr[benchmark]"')
        (self._port,) = free_ports(1)
        self._command = [
            found,
            f"--port={self._port}",
            f"--log-file={log.with_suffix('.sherpa')}",
            *(f"--{name}={value}" for name, value in options.items()),
        ]
        self._log = log

    def __enter__(self) -> SherpaServer:
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(self._command, stdout=log, stderr=subprocess.STDOUT)
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._process.terminate()
        self._process.wait(30)

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"ws://127.0.0.1:{self._port}"

    def wait_ready(self, timeout_s: float) -> None:
        """Wait until it accepts connections.

        Raises:
            RuntimeError: it ended, or did not in time.
        """
        deadline = time.monotonic() + timeout_s
        while time.monotonic() < deadline:
            if self._process.poll() is not None:
                break
            try:
                connect(self.url, proxy=None).close()
                return
            except (OSError, WebSocketException):
                time.sleep(_STEP_S)
        raise RuntimeError(f"{self._command[0]} did not start:\n{self._log.read_text()[-2000:]}")

    def cpu_seconds(self) -> float:
        """CPU time used so far."""
        return float(sum(psutil.Process(self._process.pid).cpu_times()[:2]))

    def recognise(self, recording: Recording) -> str | bytes:
        """Let the offline server recognise one recording, over a connection of its own."""
        size = 4 * len(recording)
        head = SAMPLE_RATE.to_bytes(4, "little") + size.to_bytes(4, "little")
        with connect(self.url, proxy=None) as socket:
            socket.send(head + recording.tobytes())
            answer = socket.recv()
            socket.send("Done")
        return answer


def offline_server(kind: str, folder: Path, threads: int, calls: int, log: Path) -> SherpaServer:
    """The offline server on a folder of `sherpa_models.prepare_offline`."""
    option = {"paraformer": "paraformer", "sensevoice": "sense-voice-model"}[kind]
    options = {
        option: str(folder / "model.onnx"),
        "tokens": str(folder / "tokens.txt"),
        "num-threads": str(threads),
        "num-work-threads": str(calls),
        "max-batch-size": "1",  # a batch is padded to its longest and answered together
    }
    if kind == "sensevoice":
        options["sense-voice-use-itn"] = "true"
    return SherpaServer("sherpa-onnx-offline-websocket-server", options, log)


def online_server(folder: Path, threads: int, calls: int, log: Path) -> SherpaServer:
    """The online server on a folder of `sherpa_models.prepare_streaming`.

    It decodes the streams of a "batch" one after the other and answers them together, so that
    batches of one serve it best.
    """
    options = {
        "paraformer-encoder": str(folder / "encoder.onnx"),
        "paraformer-decoder": str(folder / "decoder.onnx"),
        "tokens": str(folder / "tokens.txt"),
        "num-threads": str(threads),
        "num-work-threads": str(calls),
        "max-batch-size": "1",
        "enable-endpoint": "false",
    }
    return SherpaServer("sherpa-onnx-online-websocket-server", options, log)
