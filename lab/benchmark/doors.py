"""What a door costs beside Triton's own: a model that does nothing, asked through both in turns.

    python -m lab.benchmark.doors

Starts `triton-asr-server serve` with that model. Each request is the same bytes, sent by the same
code, over TCP to the door and over the private socket to Triton. Time is that of one request at a
time, processor time that of the door's process.
"""

from __future__ import annotations

import http.client
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import grpc
import numpy as np
import psutil
import tritonclient.http
from tritonclient.grpc import service_pb2

from asr_client.audio import Waveform
from asr_contract import SAMPLE_RATE
from asr_server.doors.http_door import HEADER_LENGTH
from asr_server.places import ROOT
from asr_server.run import held_ports
from asr_server.run.listening import UnixHTTPConnection
from asr_server.sockets import GRPC_SOCKET, HTTP_SOCKET, socket_folder

SECONDS = (0.6, 5.0, 30.0)
REQUESTS = 300
WARM_UP = 30
MODEL = "nothing"

_CONFIG = """
backend: "python"
input [{ name: "WAV" data_type: TYPE_FP32 dims: [-1, -1] }]
output [{ name: "SIZE" data_type: TYPE_INT32 dims: [1] }]
instance_group [{ kind: KIND_CPU }]
"""
_CODE = """
import numpy as np
import triton_python_backend_utils as pb_utils

class TritonPythonModel:
    def execute(self, requests):
        answer = pb_utils.Tensor("SIZE", np.ones(1, np.int32))
        return [pb_utils.InferenceResponse([answer]) for _ in requests]
"""

Ask = Callable[[], object]


@contextmanager
def serving(work: Path) -> Iterator[tuple[list[int], Path, dict[str, psutil.Process]]]:
    """Serve the model: yields ports of HTTP and gRPC, the folder of sockets, and the doors."""
    folder = work / MODEL / "1"
    folder.mkdir(parents=True)
    (folder / "model.py").write_text(_CODE)
    (folder.parent / "config.pbtxt").write_text(_CONFIG)
    with held_ports(3) as ports:
        pass
    words = ["asr_server", "serve", f"--model-repository={work}", f"--log={work / 'server.log'}"]
    for name, port in zip(("http", "grpc", "metrics"), ports, strict=True):
        words.append(f"--{name}-port={port}")
    process = subprocess.Popen(
        [sys.executable, "-m", *words],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        for line in process.stdout or ():
            if line.startswith("ready"):
                break
        children = psutil.Process(process.pid).children()
        doors = {
            name: each
            for each in children
            for name in ("http", "grpc")
            if ["asr_server.doors", name] == each.cmdline()[2:4]
        }
        yield ports, socket_folder(ports[0]), doors
    finally:
        process.terminate()
        process.wait()


def over_http(connection: http.client.HTTPConnection, samples: Waveform) -> Ask:
    """Return what sends a request and reads its answer."""
    tensor = tritonclient.http.InferInput("WAV", [1, samples.size], "FP32")
    tensor.set_data_from_numpy(samples[np.newaxis])
    body, length = tritonclient.http.InferenceServerClient.generate_request_body([tensor])
    headers = {HEADER_LENGTH: str(length)}

    def ask() -> None:
        connection.request("POST", f"/v2/models/{MODEL}/infer", body, headers)
        answer = connection.getresponse()
        text = answer.read()
        if answer.status != 200:
            raise RuntimeError(f"{answer.status}: {text!r}")

    return ask


def over_grpc(channel: grpc.Channel, samples: Waveform) -> Ask:
    """The same."""
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    request.inputs.add(name="WAV", datatype="FP32", shape=[1, samples.size])
    request.raw_input_contents.append(samples.tobytes())
    message = request.SerializeToString()
    call = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
    return lambda: call(message)


def in_turns(door: Ask, triton: Ask, process: psutil.Process) -> tuple[float, float, float]:
    """Return milliseconds: of the door, of Triton itself, and of the door's processor time."""
    for _ in range(WARM_UP):
        door()
        triton()
    times: dict[Ask, list[float]] = {door: [], triton: []}
    before = sum(process.cpu_times()[:2])
    for _ in range(REQUESTS):
        for ask, taken in times.items():
            begun_s = time.perf_counter()
            ask()
            taken.append(time.perf_counter() - begun_s)
    processor_s = sum(process.cpu_times()[:2]) - before
    medians = [1000 * statistics.median(taken) for taken in times.values()]
    return medians[0], medians[1], 1000 * processor_s / REQUESTS


def main() -> None:
    """Print the table."""
    print(
        "| | through the door | to Triton itself | processor time of the door |\n|---|---|---|---|"
    )
    with tempfile.TemporaryDirectory() as work, serving(Path(work)) as (ports, folder, doors):
        options = [("grpc.max_send_message_length", -1)]
        with (
            grpc.insecure_channel(f"127.0.0.1:{ports[1]}", options) as door_channel,
            grpc.insecure_channel(f"unix:{folder / GRPC_SOCKET}", options) as own_channel,
        ):
            for seconds in SECONDS:
                samples = np.zeros(int(seconds * SAMPLE_RATE), np.float32)
                door_http = http.client.HTTPConnection("127.0.0.1", ports[0])
                own_http = UnixHTTPConnection(folder / HTTP_SOCKET, 60.0)
                pairs = {
                    "grpc": (over_grpc(door_channel, samples), over_grpc(own_channel, samples)),
                    "http": (over_http(door_http, samples), over_http(own_http, samples)),
                }
                for name, (door, triton) in pairs.items():
                    through, itself, processor = in_turns(door, triton, doors[name])
                    print(
                        f"| {name}, {seconds:g} s of audio | {through:.2f} ms | {itself:.2f} ms | "
                        f"{processor:.2f} ms |",
                        flush=True,
                    )
                door_http.close()
                own_http.close()


if __name__ == "__main__":
    main()
