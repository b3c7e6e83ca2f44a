"""A server's answers to the page, made up in the browser."""

from __future__ import annotations

import json

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, Route, WebSocketRoute, expect

from asr_server.places import ROOT

SAMPLE = ROOT / "embedded_models" / "samples" / "zh_1.wav"


class Recogniser:
    """The other end of the page's websocket."""

    def __init__(self, page: Page) -> None:
        self.messages: list[dict] = []
        self.audio = b""
        self.url = ""
        page.route_web_socket("**/ws**", self._connect)

    def _connect(self, socket: WebSocketRoute) -> None:
        self.socket = socket
        self.url = socket.url
        socket.on_message(self._receive)

    def _receive(self, message: str | bytes) -> None:
        if isinstance(message, bytes):
            self.audio += message
        else:
            self.messages.append(json.loads(message))

    def say(self, **reply: object) -> None:
        self.socket.send(json.dumps({"wav_name": "microphone", "is_final": False} | reply))

    def partial(self, text: str, index: int = 0) -> None:
        self.say(mode="2pass-online", text=text, index=index)

    def sentence(self, text: str, start_ms: int, times: list[list[int]]) -> None:
        times = [[start_ms + a, start_ms + b] for a, b in times]
        end_ms = times[-1][1]
        self.say(
            mode="2pass-offline",
            text=text,
            start_time=start_ms,
            end_time=end_ms,
            timestamp=json.dumps(times),
        )

    def finish(self) -> None:
        self.say(mode="2pass-offline", text="", is_final=True)
        self.say(mode="2pass", text="", is_final=True, is_end=True)


def start_recording(page: Page) -> Recogniser:
    """Press the button and wait until the page has begun."""
    server = Recogniser(page)
    page.get_by_role("button", name="Record").click()
    expect(page.locator(".state").first).to_have_text("Recording")
    wait_for(page, lambda: server.messages and len(server.audio) > 9600)
    return server


def wait_for(page: Page, condition) -> None:
    """Let the page run until something has come out of it."""
    while not condition():
        page.evaluate("new Promise(requestAnimationFrame)")


def loudest(audio: bytes) -> int:
    """The largest sample, of 16 bits."""
    return int(np.abs(np.frombuffer(audio, "<i2").astype(np.int32)).max(initial=0))


def answer_upload(page: Page, events: list[object], status: int = 200) -> None:
    """Answer uploads with events, or with an error."""
    page.route("**/v1/audio/transcriptions", lambda route: fulfil(route, events, status))


def fulfil(route: Route, events: list[object], status: int = 200) -> None:
    """Answer an upload with events, or with an error."""
    if status == 200:
        body = "".join(f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events)
        kind = "text/event-stream"
    else:
        body, kind = json.dumps(events[0]), "application/json"
    route.fulfill(status=status, content_type=kind, body=body)


def delta(text: str, start: float, end: float) -> dict:
    return {"type": "transcript.text.delta", "delta": text, "start": start, "end": end}


DONE = {"type": "transcript.text.done", "text": "…", "warnings": ["no hotwords"]}
TWO_SENTENCES = [delta("你好，世界。", 0.25, 1.5), delta(" And then & there.", 1.75, 3.0), DONE]


def no_violations(page: Page) -> None:
    """Check the page as it is now with axe-core."""
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()
