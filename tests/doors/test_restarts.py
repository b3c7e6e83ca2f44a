"""What dies comes back: each process of `serve` is killed in turn, beside sessions of a gateway."""

from __future__ import annotations

import asyncio
import contextlib
import json
import secrets
import subprocess
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import requests
import tritonclient.grpc
import tritonclient.http
import tritonclient.utils
import websockets

from asr_client import AsrError, Client
from asr_gateway.shared.settings import GatewaySettings
from asr_server.places import ROOT
from tests.collector import SOON
from tests.gateway.gateways import (
    END,
    FRAME,
    RunningGateway,
    begin,
    client_of,
    recognise,
    replies,
    spoken_pcm,
    texts,
    wav_of,
)
from tests.gateway.realtime_client import COMPLETED, of_type, realtime
from tests.serve_command import serving
from tests.serving import EMBEDDED, install_models, request_inputs

tritonclients = {"http": tritonclient.http, "grpc": tritonclient.grpc}
KINDS_SERVED = ("sensevoice", "vad", "paraformer-online")
RECOVERY_S = 300
AUDIO = spoken_pcm(3)
SILENCE = np.zeros(16_000, np.float32)


@pytest.fixture(scope="module")
def repositories(tmp_path_factory):
    work = tmp_path_factory.mktemp("restarts")
    return install_models(work, {name: EMBEDDED[name] for name in KINDS_SERVED})


@pytest.fixture(scope="module")
def server(repositories, collector):
    log = repositories[0].parent / "server.log"
    with pytest.MonkeyPatch.context() as environment:
        for name, value in {**SOON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}.items():
            environment.setenv(name, value)
        with serving(repositories, log, gateway=True) as server:
            yield server


@pytest.fixture(scope="module")
def gateway(server):
    return RunningGateway(f"127.0.0.1:{server.gateway_port}", settings=GatewaySettings())


@pytest.fixture(scope="module")
def expected(gateway):
    """What the audio gives when nothing dies."""
    return {mode: heard(asyncio.run(recognise(gateway, AUDIO, mode=mode))) for mode in MODES}


MODES = ("2pass", "online", "offline")


def heard(received: list[dict]) -> list[str]:
    """The results: sentences of the second pass, else all words of the streaming model."""
    sentences = texts(received, "2pass-offline") or texts(received, "offline")
    return sentences or ["".join(texts(received, "online"))]


def wait_until_it_answers(url: str) -> None:
    deadline = time.monotonic() + RECOVERY_S
    while True:
        try:
            with Client(url, timeout_s=20) as client:
                client.transcribe(SILENCE, sample_rate=16_000)
                return
        except AsrError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_a_door(server, door):
    before = {each.pid for each in server.family()}
    killed = server.child("asr_server.doors", door)
    killed.kill()
    wait_until_it_answers(server.http_url if door == "http" else server.grpc_url)
    assert before - {each.pid for each in server.family()} == {killed.pid}


@pytest.mark.parametrize("door", ["http", "grpc"])
def test_the_doors_pass_on_which_trace_a_request_is_of(server, collector, door):
    address = server.http_url if door == "http" else server.grpc_url
    tensors = []
    for name, array in request_inputs("sensevoice", [SILENCE]).items():
        datatype = tritonclient.utils.np_to_triton_dtype(array.dtype)
        tensors.append(tritonclients[door].InferInput(name, list(array.shape), datatype))
        tensors[-1].set_data_from_numpy(array)

    def send(flags: str) -> str:
        trace_id = secrets.token_hex(16)
        headers = {"traceparent": f"00-{trace_id}-{'1' * 16}-{flags}", "tracestate": "a=b"}
        client.infer("sensevoice", tensors, headers=headers)
        return trace_id

    with tritonclients[door].InferenceServerClient(address.partition("//")[2]) as client:
        unsampled = send("00")
        spans = collector.of_grpc(lambda: send("01"), lambda spans: any(map(not_inner, spans)))
    (outermost,) = filter(not_inner, spans)
    assert (outermost.service, outermost.parent_id) == ("triton-asr-server", "1" * 16)
    assert collector.of_trace(unsampled) == []


def not_inner(span) -> bool:
    return span.name == "InferRequest"


def test_a_gateway_beside_triton_is_traced_with_it(server, gateway, collector):
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    answer = requests.post(
        f"{gateway.http}/v1/audio/transcriptions",
        files={"file": ("a.wav", wav_of(AUDIO))},
        headers={"traceparent": f"00-{trace_id}-{span_id}-01"},
        timeout=RECOVERY_S,
    )
    assert answer.ok
    services = {"triton-asr-server", "triton-asr-gateway"}
    collector.wait_for(trace_id, lambda spans: {span.service for span in spans} == services)


def test_clients_of_http_wait_for_a_new_door(server):
    server.child("asr_server.doors", "http").kill()
    answer = requests.get(f"{server.http_url}/v2/health/ready", timeout=RECOVERY_S)
    assert answer.status_code == 200


def test_the_gateway(server, gateway):
    server.child("asr_gateway").kill()
    deadline = time.monotonic() + RECOVERY_S
    while time.monotonic() < deadline:
        with contextlib.suppress(requests.ConnectionError):
            if requests.get(f"{gateway.http}/readyz", timeout=5).status_code == 200:
                return
        time.sleep(0.2)
    pytest.fail("the gateway did not come back")


def test_a_lost_process_is_not_ready(server, gateway):
    """Triton by itself goes on saying that it is."""

    def door_says() -> bool:
        return requests.get(f"{server.http_url}/v2/health/ready", timeout=60).ok

    def grpc_door_says(model: str | None) -> bool:
        with Client(server.grpc_url, timeout_s=60) as client:
            return client.is_ready(model)

    def gateway_says() -> bool:
        return requests.get(f"{gateway.http}/readyz", timeout=60).ok

    asked = {
        "HTTP": door_says,
        "gRPC": lambda: grpc_door_says(None),
        "model": lambda: grpc_door_says("vad"),
        "gateway": gateway_says,
    }
    for says in asked.values():
        wait_until(says)
    with ThreadPoolExecutor() as pool:
        denials = [pool.submit(wait_until, lambda says=says: not says()) for says in asked.values()]
        # One that goes on is ready before everybody has asked.
        successor = server.kill_and_suspend_successor("vad_0_0", RECOVERY_S)
        try:
            for denial in denials:
                denial.result()
        finally:
            successor.resume()
    for says in asked.values():
        wait_until(says)
    wait_until_it_answers(server.grpc_url)


def wait_until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + RECOVERY_S
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


async def session_with_a_death(gateway, mode: str, kill) -> list[dict]:
    """Speak, and let something die in the middle; returns the replies."""
    async with client_of(gateway) as socket:
        await socket.send(begin(mode=mode))
        collecting = asyncio.create_task(replies(socket))
        frames = [AUDIO[first : first + FRAME] for first in range(0, len(AUDIO), FRAME)]
        for number, frame in enumerate(frames):
            if number == len(frames) // 2:
                await asyncio.sleep(1.0)  # so that it is heard as far as it came
                await asyncio.to_thread(kill)
            await socket.send(frame)
        await socket.send(END)
        return await asyncio.wait_for(collecting, RECOVERY_S)


@pytest.mark.parametrize(
    ("stub", "mode"),
    [
        ("vad_0_0", "2pass"),
        ("streaming_cif_search_0_0", "online"),
        pytest.param("sensevoice_encoder_0_0", "2pass", marks=pytest.mark.soak),
        pytest.param("sensevoice_scoring_0_0", "offline", marks=pytest.mark.soak),
    ],
)
def test_a_model_process_costs_a_session_a_pause_only(server, gateway, expected, stub, mode):
    triton = server.child("tritonserver").pid
    received = asyncio.run(session_with_a_death(gateway, mode, server.child(stub).kill))
    assert heard(received) == expected[mode]
    assert server.child("tritonserver").pid == triton  # nothing else was started anew
    wait_until_it_answers(server.grpc_url)


def test_triton_itself(server, gateway, expected):
    """The gateway answers meanwhile; a session that is open goes on, new ones come again."""
    triton = server.child("tritonserver")
    turned_away: dict[str, object] = {}

    def kill() -> None:
        triton.kill()
        triton.wait(RECOVERY_S)
        turned_away.update(what_new_clients_are_told(gateway))

    received, events = asyncio.run(beside_realtime(gateway, kill))
    assert heard(received) == expected["2pass"]
    assert [event["transcript"] for event in of_type(events, COMPLETED)] == expected["2pass"]
    for kind in ("speech_started", "speech_stopped", "committed"):  # each item was told once
        assert len(of_type(events, f"input_audio_buffer.{kind}")) == len(expected["2pass"])
    assert turned_away == {
        "live": 200,
        "ready": 503,
        "upload": (503, "5"),
        "websocket": (1013, "recognition is not available at the moment; come again in 5 s"),
    }
    assert requests.get(f"{gateway.http}/readyz", timeout=60).status_code == 200
    wait_until_it_answers(server.grpc_url)
    wait_until_it_answers(server.http_url)


async def beside_realtime(gateway, kill) -> tuple[list[dict], list[dict]]:
    """The same, and a session of the Realtime API that says it beside."""
    loop, killed = asyncio.get_running_loop(), asyncio.Event()

    def kill_and_tell() -> None:
        kill()
        loop.call_soon_threadsafe(killed.set)

    async def speak() -> list[dict]:
        async with realtime(gateway) as session:
            vad = {"type": "server_vad", "prefix_padding_ms": 200, "silence_duration_ms": 800}
            await session.configure(format={"type": "audio/pcm", "rate": 16_000})
            await session.configure(turn_detection=vad)
            middle = len(AUDIO) // 4 * 2
            await session.append(AUDIO[:middle], 32_000)
            await killed.wait()
            await session.append(AUDIO[middle:], 32_000)
            return await asyncio.wait_for(session.until(COMPLETED, 3), RECOVERY_S)

    return await asyncio.gather(session_with_a_death(gateway, "2pass", kill_and_tell), speak())


def what_new_clients_are_told(gateway: RunningGateway) -> dict[str, object]:
    files = {"file": ("a.wav", bytes(100))}
    upload = requests.post(f"{gateway.http}/v1/audio/transcriptions", files=files, timeout=30)

    async def websocket() -> tuple[int, str]:
        async with client_of(gateway) as socket:
            with contextlib.suppress(websockets.ConnectionClosed):
                reply = json.loads(await socket.recv())
                await socket.recv()
            return socket.close_code or 0, reply["error"]

    return {
        "live": requests.get(f"{gateway.http}/healthz", timeout=30).status_code,
        "ready": requests.get(f"{gateway.http}/readyz", timeout=30).status_code,
        "upload": (upload.status_code, upload.headers.get("Retry-After")),
        "websocket": asyncio.run(websocket()),
    }


def command(server, name: str, *words: str) -> str:
    line = [sys.executable, "-m", "asr_server", name, f"--http-port={server.http_port}", *words]
    result = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=RECOVERY_S)
    assert result.returncode == 0, result.stderr
    return result.stdout


def states(server) -> dict[str, str]:
    lines = [line.split() for line in command(server, "index").splitlines()]
    return {words[0]: words[1] for words in lines}


def test_models_are_loaded_and_unloaded_by_command(server):
    assert states(server)["sensevoice_scoring"] == "ready"
    assert command(server, "unload", "sensevoice").splitlines()[0].startswith("sensevoice ")
    assert states(server)["sensevoice_scoring"] == "unavailable"  # not "unloading" any more
    assert requests.get(f"{server.http_url}/v2/health/ready", timeout=30).ok
    time.sleep(2.0)  # nobody takes it for lost
    assert states(server)["sensevoice_scoring"] == "unavailable"
    with pytest.raises(AsrError), Client(server.grpc_url) as client:
        client.transcribe(SILENCE, sample_rate=16_000)
    command(server, "load", "sensevoice")
    wait_until_it_answers(server.grpc_url)
    server.child("sensevoice_scoring_0_0").kill()  # and is watched again
    wait_until_it_answers(server.grpc_url)


def test_models_that_are_loaded_anew_by_command_are_not_lost(server, repositories):
    """While it loads, a model is ready and its process is not there."""
    triton = server.child("tritonserver").pid
    (model,) = (
        path for each in repositories for path in each.glob("sensevoice_scoring/1/model.py")
    )
    for _ in range(4):
        model.touch()  # Triton loads anew what has changed only
        command(server, "load", "sensevoice")
    assert server.child("tritonserver").pid == triton
    assert states(server)["sensevoice_scoring"] == "ready"


def test_control_of_a_server_that_is_not_here():
    line = [sys.executable, "-m", "asr_server", "index", "--http-port=1"]
    result = subprocess.run(line, cwd=ROOT, capture_output=True, text=True, timeout=RECOVERY_S)
    assert result.returncode == 1
    assert "no server of this user with HTTP port 1 runs here" in result.stderr
