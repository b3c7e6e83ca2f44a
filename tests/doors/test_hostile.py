"""Each request that ended a Triton, at every door of `serve`: refused, quickly and cheaply."""

from __future__ import annotations

import json
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import grpc
import numpy as np
import pytest
import requests
import tritonclient.http
from playwright.sync_api import sync_playwright
from tritonclient.grpc import service_pb2

from asr_client import Client
from tests.gateway.browser import chromium, open_page
from tests.gateway.static_server import static_server
from tests.hostile_requests import (
    BODIES,
    CLOSED,
    GRPC_MESSAGES,
    MODEL,
    chunked,
    closed_grpc_calls,
    grpc_call,
    grpc_infer,
    http,
    infer_body,
    raw,
    zeros,
)
from tests.serve_command import serving
from tests.serving import RANDOM_MODELS, install_models, request_inputs

REFUSED_S = 1.0
UNHURRIED_S = 10.0  # for as much on a machine that has more to do
MAX_GROWTH_MB = 200
INFER = f"/v2/models/{MODEL}/infer"
SPEECH = np.sin(np.arange(16_000) / 20).astype(np.float32)


@pytest.fixture(scope="module")
def triton_log(tmp_path_factory):
    return tmp_path_factory.mktemp("doors") / "server.log"


@pytest.fixture(scope="module")
def server(triton_log):
    kinds = {"sensevoice": RANDOM_MODELS / "sensevoice-tiny-seed0"}
    repositories = install_models(triton_log.parent, kinds)
    with serving(repositories, triton_log) as server:
        yield server


@pytest.fixture(scope="module", autouse=True)
def the_same_server_answers_afterwards(server):
    before = {each.pid for each in server.family()}
    memory_mb = server.memory_mb()
    answers = [recognised(server)]
    yield
    answers.append(recognised(server))
    assert answers[1] == answers[0]
    assert {each.pid for each in server.family()} == before
    assert server.memory_mb() - memory_mb < MAX_GROWTH_MB


@pytest.fixture(autouse=True)
def cheap_and_alive(server):
    before = server.memory_mb()
    yield
    assert server.memory_mb() - before < MAX_GROWTH_MB
    assert http(server.http_port, "GET", "/v2/health/ready").status == 200


def recognised(server) -> str:
    with Client(server.grpc_url) as client:
        return client.transcribe(SPEECH, sample_rate=16_000).raw_text


@contextmanager
def at_once(server) -> Iterator[None]:
    """See that the doors work for less than a second, and wait for nothing else."""
    before_s, begun_s = worked_s(server), time.monotonic()
    yield
    assert worked_s(server) - before_s < REFUSED_S
    assert time.monotonic() - begun_s < UNHURRIED_S


def worked_s(server) -> float:
    """Processor time of both doors."""
    times = [server.child("asr_server.doors", door).cpu_times() for door in ("http", "grpc")]
    return sum(each.user + each.system for each in times)


def ports(server) -> list[int]:
    """Those that speak HTTP."""
    return [server.http_port, server.metrics_port]


@pytest.mark.parametrize("name", BODIES)
def test_requests_that_killed(server, name):
    for port in ports(server):
        with at_once(server):
            answer = http(port, "POST", INFER, BODIES[name])
        assert answer.status in (400, 404), answer


@pytest.mark.parametrize(
    "path", [INFER, "/v2/health/live", "/metrics", "/v2/logging", f"/v2/models/{MODEL}/config"]
)
@pytest.mark.parametrize("method", ["POST", "GET", "PUT"])
def test_bodies_without_an_end(server, path, method):
    for port in ports(server):
        with at_once(server):
            answer = chunked(port, method, path, 600_000)
        assert 400 <= answer.status < 500, answer
        with at_once(server):
            answer = zeros(port, method, path, 300 << 20)
        assert 400 <= answer.status < 500, answer


@pytest.mark.parametrize("name", CLOSED)
def test_what_changes_the_server_is_closed(server, name):
    method, path, body = CLOSED[name]
    for port in ports(server):
        for each in (method, "GET"):
            assert http(port, each, path, body if each == "POST" else b"").status in (404, 405)


@pytest.mark.parametrize("name", GRPC_MESSAGES)
@pytest.mark.parametrize("method", ["ModelInfer", "ModelStreamInfer"])
def test_messages_over_grpc(server, method, name):
    with at_once(server):
        status = grpc_call(server.grpc_port, method, GRPC_MESSAGES[name])
    assert status is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    "method", ["ModelReady", "ModelMetadata", "ModelConfig", "ModelStatistics", "ModelInfer"]
)
def test_names_that_are_no_text_never_reach_triton(server, triton_log, method):
    """Its parser writes a line to the log for each."""
    name = b"\x0a\x02\xff\xfe"
    assert grpc_call(server.grpc_port, method, name) is grpc.StatusCode.INVALID_ARGUMENT
    assert "libprotobuf" not in triton_log.read_text(errors="replace")


@pytest.mark.parametrize("method", ["ServerLive", "ModelInfer", "ModelConfig"])
def test_large_messages_over_grpc(server, method):
    field_of_unknown_number = b"\x7a" + b"\x80\x80\x80\x90\x01"
    message = field_of_unknown_number + bytes(300 << 20)
    assert grpc_call(server.grpc_port, method, message) is grpc.StatusCode.RESOURCE_EXHAUSTED


def test_a_message_that_unpacks_to_more_is_not_unpacked(server):
    message = grpc_infer([1, 16 << 20], bytes(64 << 20))
    status = grpc_call(server.grpc_port, "ModelInfer", message, gzip=True)
    assert status is grpc.StatusCode.UNIMPLEMENTED


def test_a_body_that_unpacks_to_more_is_refused(server):
    body = zlib.compress(bytes(1 << 30), 9)
    headers = {"Content-Encoding": "deflate"}
    with at_once(server):
        answer = http(server.http_port, "POST", INFER, body, headers)
    assert answer.status == 413


def test_what_changes_the_server_is_closed_over_grpc(server):
    assert set(closed_grpc_calls(server.grpc_port).values()) == {grpc.StatusCode.UNIMPLEMENTED}


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({"Host": "evil.example"}, 421),
        ({"Host": "evil.example:8000"}, 421),
        ({"Host": ""}, 421),
        ({"Origin": "https://evil.example"}, 403),
        ({"Origin": "null"}, 403),
        ({"Sec-Fetch-Site": "cross-site"}, 403),
        ({"Origin": "https://evil.example", "Content-Type": "text/plain"}, 403),
    ],
)
def test_foreign_pages_and_names_are_not_served(server, headers, status):
    for port in ports(server):
        assert http(port, "POST", INFER, infer_body(), headers).status == status
        assert http(port, "GET", "/v2", b"", headers).status == status


def test_a_header_that_never_ends(server):
    answer = raw(server.http_port, b"GET /v2 HTTP/1.1\r\nX: " + b"y" * 1_000_000, [])
    assert answer.status in (0, 400)
    answer = raw(server.http_port, b"GET /v2 HTTP/1.1\r\n" + b"X: y\r\n" * 200_000, [])
    assert answer.status in (0, 400)


def test_errors_name_shapes_and_not_memory(server):
    answer = http(server.http_port, "POST", INFER, infer_body(shape=[1, 7]))
    assert "'WAV': expected 7 values for [1, 7]; got 1" in answer.text


def test_tensors_in_every_form_are_still_taken(server):
    """JSON flat and nested, binary, compressed either way, and strings."""
    inputs = request_inputs("sensevoice", [SPEECH])
    client = tritonclient.http.InferenceServerClient(f"127.0.0.1:{server.http_port}")
    texts = set()
    for binary in (True, False):
        for algorithm in (None, "gzip", "deflate"):
            tensors = []
            for name, array in inputs.items():
                datatype = tritonclient.utils.np_to_triton_dtype(array.dtype)
                tensor = tritonclient.http.InferInput(name, list(array.shape), datatype)
                tensor.set_data_from_numpy(array, binary_data=binary)
                tensors.append(tensor)
            output = tritonclient.http.InferRequestedOutput("TRANSCRIPTS", binary_data=binary)
            answer = client.infer(
                MODEL,
                tensors,
                outputs=[output],
                request_compression_algorithm=algorithm,
                response_compression_algorithm=algorithm,
            )
            text = answer.as_numpy("TRANSCRIPTS").reshape(-1)[0]
            texts.add(text.decode() if isinstance(text, bytes) else text)
    assert texts == {recognised(server)}


def test_the_sdk_speaks_through_both_doors(server):
    for url in (server.grpc_url, server.http_url):
        with Client(url) as client:
            assert {model.name for model in client.models()} >= {"sensevoice"}
            client.check_ready("sensevoice")


def test_strings_are_counted(server):
    request = service_pb2.ModelInferRequest(model_name=MODEL)
    request.inputs.add(name="HOTWORDS", datatype="BYTES", shape=[1, 1])
    request.raw_input_contents.append(b"\xff\xff\xff\xffx")
    status = grpc_call(server.grpc_port, "ModelInfer", request.SerializeToString())
    assert status is grpc.StatusCode.INVALID_ARGUMENT


# What a page does with requests that browsers send without asking the server first.
ATTACK = """async ([port, metrics, path, bodies]) => {
  for (const body of bodies)
    for (const place of [`${port}${path}`, `${metrics}/metrics`, `${port}/v2/logging`])
      await fetch(`http://127.0.0.1:${place}`, { method: "POST", mode: "no-cors", body })
        .catch(() => null);
  const reading = await fetch(`http://127.0.0.1:${port}/v2`).then((r) => r.text(), String);
  const socket = new WebSocket(`ws://127.0.0.1:${port}/v2`);
  await new Promise((done) => { socket.onclose = socket.onopen = done; });
  return reading;
}"""


def test_a_page_of_another_origin_in_a_browser(server, tmp_path):
    """It can neither end anything, nor have anything recognised, nor read."""
    (tmp_path / "index.html").write_text("<title>elsewhere</title>")
    valid = recognisable_request()
    before = inference_count(server)
    with (
        sync_playwright() as playwright,
        chromium(playwright) as browser,
        static_server(tmp_path, policy=None) as url,
    ):
        page = open_page(browser, url.replace("127.0.0.1", "localhost") + "/index.html")
        bodies = [body.decode() for body in BODIES.values()] + [valid]
        told = page.evaluate(ATTACK, [server.http_port, server.metrics_port, INFER, bodies])
        page.context.close()
    assert "triton" not in told
    assert inference_count(server) == before
    assert http(server.http_port, "POST", INFER, valid.encode()).status == 200  # from here it is


def recognisable_request() -> str:
    inputs = []
    for name, array in request_inputs("sensevoice", [SPEECH]).items():
        datatype = tritonclient.utils.np_to_triton_dtype(array.dtype)
        shape, data = list(array.shape), array.reshape(-1).tolist()
        inputs.append({"name": name, "shape": shape, "datatype": datatype, "data": data})
    return json.dumps({"inputs": inputs})


def inference_count(server) -> int:
    answer = requests.get(f"{server.http_url}/v2/models/{MODEL}/stats", timeout=60).json()
    return int(answer["model_stats"][0]["inference_count"])
