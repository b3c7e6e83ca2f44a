"""sherpa-onnx's websocket servers (wheel `sherpa-onnx-bin`) and their protocol."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from websockets.sync.client import connect

from asr_contract import SAMPLE_RATE
from lab.benchmark.websocket_server import WebsocketServer
from lab.benchmark.workload import Recording


class SherpaServer(WebsocketServer):
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
        words = [f"--{name}={value}" for name, value in options.items()]
        super().__init__([found, f"--log-file={log.with_suffix('.sherpa')}", *words], log)

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
