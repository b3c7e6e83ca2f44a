"""Traces from an upload or a websocket's message through Triton's models, as collectors get them.

The gateway is a process that is told by OpenTelemetry's variables; Triton is the suite's. It is
asked over HTTP where all its spans are looked for: over gRPC it misses some (docs/tracing.md).
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import secrets
import subprocess
import sys
from collections import Counter
from contextlib import contextmanager

import pytest
import requests
import websockets
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor

from asr_client import Client
from tests.collector import SOON
from tests.gateway.gateways import FRAME, spoken_pcm
from tests.recordings import cut

UPLOAD = "POST /v1/audio/transcriptions"
GATEWAY, TRITON = "triton-asr-gateway", "triton-asr-server"


def joining(sampled: bool = True) -> tuple[str, str]:
    """A new trace, and the header of a caller that is in it."""
    trace_id, span_id = secrets.token_hex(16), secrets.token_hex(8)
    return trace_id, f"00-{trace_id}-{span_id}-{'01' if sampled else '00'}"


@pytest.fixture(scope="module")
def traced_gateway(triton_server, collector):
    with gateway_process(triton_server.http_url, collector) as address:
        yield address


@contextmanager
def gateway_process(triton_url, collector):
    environment = {**os.environ, **SOON, "OTEL_EXPORTER_OTLP_ENDPOINT": collector.endpoint}
    command = [sys.executable, "-m", "asr_gateway", "--triton", triton_url, "--port", "0"]
    process = subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    )
    try:
        yield re.search(r"http://(\S+)/", process.stdout.readline())[1]
        process.terminate()
        assert process.wait(60) == 0
    finally:
        process.kill()


def upload(address: str, talk, header: str | None) -> requests.Response:
    with talk.open("rb") as file:
        return requests.post(
            f"http://{address}/v1/audio/transcriptions",
            files={"file": file},
            data={"model": "paraformer"},
            headers={} if header is None else {"traceparent": header},
            timeout=120,
        )


def has_ended(root: str):
    """Whether this span is there, for every request Triton's own, and for each its parent."""

    def complete(spans) -> bool:
        ids = {span.span_id for span in spans}
        outside = [span.name for span in spans if span.parent_id not in ids]
        sent = {f"{span.trace_id}-{span.span_id}" for span in spans if is_request(span)}
        served = {span.attributes.get("triton.request_id") for span in spans}
        return outside == [root] and sent <= served

    return complete


def is_request(span) -> bool:
    return span.name.startswith("infer ")


def test_an_upload_is_traced_through_the_models(traced_gateway, collector, talk):
    trace_id, header = joining()
    answer = upload(traced_gateway, talk, header)
    assert answer.status_code == 200
    spans = collector.wait_for(trace_id, has_ended(UPLOAD))
    by_id = {span.span_id: span for span in spans}
    (root,) = [span for span in spans if span.parent_id not in by_id]
    assert root.parent_id == header.split("-")[2]
    assert root.attributes["http.response.status_code"] == 200
    assert root.attributes["asr.request_id"] == answer.headers["x-request-id"]
    assert {span.service for span in spans} == {GATEWAY, TRITON}

    # Every request of a model is a span, and Triton's own of the ensemble and its steps are in it.
    names = Counter(span.name for span in spans)
    segments = names["segment"]
    assert segments >= 3
    assert names["infer infer_pipeline"] == segments
    for model in ("infer_pipeline", "paraformer_encoder", "paraformer_scoring"):
        assert names[model] == segments
    assert names["vad_encoder"] and names["punctuation_encoder"]  # called by models
    for span in spans:
        if span.service == TRITON and span.name == "infer_pipeline":
            sender = by_id[by_id[span.parent_id].parent_id]
            assert sender.name == "infer infer_pipeline"
            assert span.attributes["triton.request_id"] == f"{trace_id}-{sender.span_id}"
            assert by_id[sender.parent_id].name == "segment"
    for span in spans:  # whatever is in a request of the gateway's lies within it
        if span.service == GATEWAY and span is not root:
            assert root.begun_ns <= span.begun_ns <= span.ended_ns <= root.ended_ns


def test_a_websocket_is_traced_from_its_messages(traced_gateway, collector):
    trace_id, header = joining()
    audio = spoken_pcm(1)

    async def speak() -> None:
        url, headers = f"ws://{traced_gateway}/", {"traceparent": header}
        async with websockets.connect(url, additional_headers=headers, proxy=None) as socket:
            await socket.send(json.dumps({"mode": "2pass", "is_speaking": True}))
            for begin in range(0, len(audio), FRAME):
                await socket.send(audio[begin : begin + FRAME])
                await asyncio.sleep(0.005)
            await socket.send(json.dumps({"is_speaking": False}))
            while not json.loads(await socket.recv())["is_final"]:
                pass

    asyncio.run(speak())
    spans = collector.wait_for(trace_id, has_ended("funasr utterance"))
    assert {span.name for span in spans} >= {"partial text", "sentence", "segment"}
    by_id = {span.span_id: span for span in spans}
    (root,) = [span for span in spans if span.parent_id not in by_id]
    assert (root.name, root.parent_id) == ("funasr utterance", header.split("-")[2])
    assert root.attributes["asr.mode"] == "2pass"
    assert root.attributes["asr.audio_s"] == pytest.approx(len(audio) / 32000)

    # The pieces of audio follow each other without a gap, and each asks the VAD in its own span.
    pieces = sorted(
        (span for span in spans if span.name == "audio"),
        key=lambda span: span.attributes["asr.start_ms"],
    )
    ends = [piece.attributes["asr.end_ms"] for piece in pieces]
    assert [piece.attributes["asr.start_ms"] for piece in pieces] == [0, *ends[:-1]]
    asked = Counter(span.parent_id for span in spans if span.name == "infer vad")
    assert all(asked[piece.span_id] for piece in pieces)

    for name in ("streaming_paraformer", "vad", "sensevoice"):
        served = [span for span in spans if span.service == TRITON and span.name == name]
        assert served
        for span in served:
            sender = by_id[by_id[span.parent_id].parent_id]
            assert sender.name == f"infer {name}"
            assert span.attributes["triton.request_id"] == f"{trace_id}-{sender.span_id}"


def test_what_is_not_sampled_is_not_recorded(traced_gateway, collector, talk):
    unsampled, header = joining(sampled=False)
    assert upload(traced_gateway, talk, header).status_code == 200
    sampled, header = joining()
    assert upload(traced_gateway, talk, header).status_code == 200
    collector.wait_for(sampled, has_ended(UPLOAD))
    assert collector.of_trace(unsampled) == []


@pytest.mark.parametrize("header", ["", "01", "00-" + "0" * 32 + "-" + "1" * 16 + "-01"])
def test_a_header_that_is_none_begins_a_trace_of_its_own(traced_gateway, collector, talk, header):
    answer = upload(traced_gateway, talk, header)
    assert answer.status_code == 200
    root = collector.wait_for_one(
        lambda span: span.attributes.get("asr.request_id") == answer.headers["x-request-id"]
    )
    assert root.parent_id == ""
    collector.wait_for(root.trace_id, has_ended(UPLOAD))


def test_a_fault_marks_its_span(collector):
    """Triton is away; the answer is one of 500 and above."""
    trace_id, header = joining()
    with gateway_process("grpc://127.0.0.1:1", collector) as address:
        url = f"http://{address}/v1/audio/transcriptions"
        answer = requests.post(
            url, files={"file": b"x"}, headers={"traceparent": header}, timeout=60
        )
    assert answer.status_code == 503
    (root,) = collector.wait_for(trace_id, bool)  # sent before it ended
    assert root.failed
    assert root.attributes["http.response.status_code"] == 503


def test_what_is_wrong_with_an_upload_is_no_fault(traced_gateway, collector):
    trace_id, header = joining()
    answer = requests.post(
        f"http://{traced_gateway}/v1/audio/transcriptions",
        files={"file": b"no audio at all"},
        headers={"traceparent": header},
        timeout=60,
    )
    assert answer.status_code == 400
    spans = collector.wait_for(trace_id, has_ended(UPLOAD))
    (root,) = [span for span in spans if span.name == UPLOAD]
    assert root.attributes["http.response.status_code"] == 400
    assert not root.failed


@pytest.fixture
def program(collector, monkeypatch):
    """A tracer, as a program has one that records."""
    provider = TracerProvider()
    exporter = OTLPSpanExporter(endpoint=f"{collector.endpoint}/v1/traces")
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    monkeypatch.setattr(trace, "get_tracer_provider", lambda: provider)
    return provider.get_tracer("test")


@pytest.mark.parametrize("scheme", ["grpc", "http"])
def test_the_sdk_joins_the_trace_of_its_program(triton_server, collector, scheme, program):
    def work() -> str:
        url = getattr(triton_server, f"{scheme}_url")
        with program.start_as_current_span("work") as work, Client(url) as client:
            client.transcribe(cut(2.0, 0.0), sample_rate=16_000)
        return f"{work.get_span_context().trace_id:032x}"

    spans = collector.of_grpc(work, has_ended("work"))
    (sender,) = [span for span in spans if span.name == "infer sensevoice"]
    assert [span.name for span in spans if span.span_id == sender.parent_id] == ["work"]
    (served,) = [span for span in spans if span.name == "sensevoice"]
    assert served.attributes["triton.request_id"] == f"{served.trace_id}-{sender.span_id}"


def test_requests_of_a_grpc_stream_are_told_by_their_ids(triton_url, collector, program):
    """They all have the headers of its beginning."""

    def speak() -> str:
        with (
            program.start_as_current_span("work") as work,
            Client(triton_url) as client,
            client.stream() as session,
        ):
            for begin_s in (0.0, 1.0):
                session.send(cut(1.0, begin_s))
            session.finish()
        return f"{work.get_span_context().trace_id:032x}"

    spans = collector.of_grpc(speak, has_ended("work"))
    by_id = {span.span_id: span for span in spans}
    served = [span for span in spans if span.name == "streaming_paraformer"]
    senders = [by_id[by_id[span.parent_id].parent_id].name for span in served]
    assert senders.count("infer streaming_paraformer") == 1  # its beginning goes alone
    assert senders.count("stream") == len(senders) - 1 >= 2
    sent = {f"{span.trace_id}-{span.span_id}" for span in spans if is_request(span)}
    assert {span.attributes["triton.request_id"] for span in served} == sent
