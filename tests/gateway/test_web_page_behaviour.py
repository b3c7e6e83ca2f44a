"""What the page does with a server's answers, which are made up here; the server is not run."""

from __future__ import annotations

import json
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import numpy as np
import pytest
import soundfile
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page, WebSocketRoute, expect, sync_playwright

from scripts.install_model import ROOT
from tests.gateway.browser import chromium, note_highlights, open_page, wait_for_highlight
from tests.gateway.static_server import static_server

SAMPLE = ROOT / "embedded_models" / "samples" / "zh_1.wav"


@pytest.fixture(scope="module")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright):
    with chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def address():
    with static_server() as url:
        yield url


@pytest.fixture
def page(browser, address):
    page = open_page(browser, address)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if "Security Policy" in m.text else None)
    yield page
    page.context.close()
    assert problems == []


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
    if status == 200:
        body = "".join(f"data: {json.dumps(event, ensure_ascii=False)}\n\n" for event in events)
        kind = "text/event-stream"
    else:
        body, kind = json.dumps(events[0]), "application/json"
    page.route(
        "**/v1/audio/transcriptions",
        lambda route: route.fulfill(status=status, content_type=kind, body=body),
    )


def delta(text: str, start: float, end: float) -> dict:
    return {"type": "transcript.text.delta", "delta": text, "start": start, "end": end}


DONE = {"type": "transcript.text.done", "text": "…", "warnings": ["no hotwords"]}
TWO_SENTENCES = [delta("你好，世界。", 0.25, 1.5), delta(" And then & there.", 1.75, 3.0), DONE]


def no_violations(page: Page) -> None:
    """Check the page as it is now with axe-core."""
    result = Axe().run(page)
    assert result.violations_count == 0, result.generate_report()


# Recording


def test_partial_text_grows_and_gives_way_to_its_sentence(page):
    server = start_recording(page)
    partial, sentences = page.locator(".partial"), page.locator(".sentences li")
    server.partial("你好")
    expect(partial).to_have_text("你好")
    server.partial("世界")
    expect(partial).to_have_text("你好世界")
    expect(partial).to_have_attribute("lang", "zh")
    server.sentence("你好，世界。", 62_000, [[0, 200], [200, 400], [400, 600], [600, 800]])
    expect(sentences).to_have_count(1)
    expect(partial).to_be_hidden()
    expect(sentences.locator("time")).to_have_text("1:02")
    server.partial("um", index=1)  # in which the second pass hears nothing
    server.partial("yes", index=2)
    expect(partial).to_have_text("yes")
    # A screen reader says sentences, not every change of what is not settled.
    expect(page.locator(".sentences")).to_have_attribute("aria-live", "polite")
    assert not partial.evaluate("e => e.closest('[aria-live], [role=status], [role=alert]')")
    page.get_by_role("button", name="Stop").click()
    wait_for(page, lambda: len(server.messages) == 2)
    assert server.messages[1] == {"is_speaking": False, "is_end": True}
    expect(page.locator(".state")).to_have_text("Finishing")
    server.finish()
    expect(page.locator(".state")).to_have_text("Complete")
    expect(page.get_by_role("status")).to_contain_text("complete, 1 sentences")


def test_the_first_message_says_what_the_form_says(page):
    page.get_by_label("Spoken language").select_option("yue")
    page.get_by_label("Numbers as figures").uncheck()
    page.get_by_text("Hotwords and API key").click()
    page.get_by_label("Hotwords", exact=True).fill(" 阿里巴巴\n达摩院 20 ")
    page.get_by_label("API key").fill("secret&1")
    server = start_recording(page)
    assert server.messages[0] == {
        "mode": "2pass",
        "wav_name": "microphone",
        "is_speaking": True,
        "chunk_size": [5, 10, 5],
        "audio_fs": 16000,
        "itn": False,
        "svs_itn": False,
        "svs_lang": "yue",
        "model": "sensevoice",
        "hotwords": "阿里巴巴\n达摩院 20",
    }
    assert parse_qs(urlsplit(server.url).query) == {"api_key": ["secret&1"]}
    assert page.evaluate("sessionStorage['api-key']") == "secret&1"
    assert "secret" not in page.evaluate("JSON.stringify(localStorage)")


def test_the_recording_is_what_was_sent(page, tmp_path):
    server = start_recording(page)
    # The fake microphone beeps now and then.
    wait_for(page, lambda: loudest(server.audio) > 300)
    page.get_by_role("button", name="Stop").click()
    wait_for(page, lambda: len(server.messages) == 2)
    server.finish()
    expect(page.locator(".state")).to_have_text("Complete; no speech was heard")
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as WAV").click()
    samples, rate = soundfile.read(download.value.path(), dtype="int16")
    assert rate == 16_000
    assert samples.tobytes() == server.audio


def test_cancelling_forgets_the_recording(page):
    server = start_recording(page)
    closed: list[object] = []
    server.socket.on_close(lambda code, reason: closed.append(code))
    server.partial("you never said")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("article")).to_have_count(0)
    wait_for(page, lambda: closed)
    expect(page.get_by_role("button", name="Record")).to_be_focused()
    expect(page.get_by_text("What you record or choose appears here.")).to_be_visible()
    start_recording(page)  # and the microphone can be opened again


def test_cancelling_before_the_microphone_is_open(page):
    page.evaluate(
        """() => {
          const ask = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
          const allowed = new Promise((allow) => { window.allow = allow; });
          navigator.mediaDevices.getUserMedia = async (wanted) => {
            await allowed;
            window.given = await ask(wanted);
            return window.given;
          };
        }"""
    )
    server = Recogniser(page)
    page.get_by_role("button", name="Record").click()
    expect(page.locator(".state")).to_have_text("Waiting for the microphone")
    page.get_by_role("button", name="Cancel").click()
    expect(page.locator("article")).to_have_count(0)
    page.evaluate("window.allow()")
    wait_for(page, lambda: page.evaluate("window.given?.getTracks()[0].readyState") == "ended")
    assert server.messages == []
    expect(page.get_by_role("alert").filter(visible=True)).to_have_count(0)


def test_a_lost_connection_keeps_what_was_there(page):
    server = start_recording(page)
    server.sentence("你好。", 100, [[0, 200], [200, 400]])
    expect(page.locator(".sentences li")).to_have_count(1)
    server.socket.close(code=1011)
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("broke off")
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_visible()
    expect(page.get_by_role("button", name="Save as SRT")).to_be_visible()
    expect(page.get_by_role("button", name="Save as WAV")).to_be_visible()


def test_the_servers_own_words_are_shown(page):
    server = start_recording(page)
    server.say(mode="2pass", text="", warning="<b>these models</b> know no hotwords")
    notice = page.get_by_role("alert").filter(visible=True)
    expect(notice).to_have_text("The server notes: <b>these models</b> know no hotwords")
    server.say(mode="2pass", text="", error="the gateway has 9 sessions open")
    expect(notice).to_have_text("The server reports: the gateway has 9 sessions open")


@pytest.mark.parametrize(
    ("status", "says"),
    [(401, "The server asks for an API key"), (200, "The server is busy"), (502, "HTTP 502")],
)
def test_a_refused_connection_says_why(page, status, says):
    # Nothing answers websockets at the static server.
    page.route("**/v1/models", lambda route: route.fulfill(status=status, json={}))
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(says)
    if status == 401:
        expect(page.get_by_label("API key")).to_be_focused()


def test_a_server_that_is_gone_is_named(browser):
    with static_server() as url:
        page = open_page(browser, url)
    page.get_by_role("button", name="Record").click()
    alert = page.get_by_role("alert").filter(visible=True)
    expect(alert).to_contain_text("The server cannot be reached")
    page.locator("#files").set_input_files(SAMPLE)
    expect(page.locator("article").get_by_role("alert")).to_contain_text("cannot be reached")
    page.context.close()


@pytest.mark.parametrize(
    ("error", "says"),
    [
        ("NotFoundError", "No microphone was found"),
        ("NotReadableError", "could not be opened"),
        (None, "only over https"),
    ],
)
def test_a_microphone_that_cannot_be_had(browser, address, error, says):
    page = open_page(browser, address)
    page.evaluate(
        """(name) => Object.defineProperty(navigator, "mediaDevices", { value: name && {
             getUserMedia: () => Promise.reject(new DOMException("no", name)) } })""",
        error,
    )
    page.get_by_role("button", name="Record").click()
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(says)
    expect(page.locator("article")).to_have_count(0)
    page.context.close()


def test_a_refused_microphone(playwright, address):
    with chromium(playwright, permit=False) as browser:
        page = open_page(browser, address)
        page.get_by_role("button", name="Record").click()
        alert = page.get_by_role("alert").filter(visible=True)
        expect(alert).to_contain_text("The microphone is blocked")
        expect(page.get_by_role("button", name="Record")).to_be_visible()


def test_leaving_while_recording_asks(page):
    asked: list[str] = []
    start_recording(page)

    def answer(dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", answer)
    page.close(run_before_unload=True)
    wait_for(page, lambda: asked)
    assert asked == ["beforeunload"]
    assert page.locator(".state").inner_text() == "Recording"


# Files


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (401, "expected a key", "asks for an API key"),
        (413, "expected at most 5 bytes", "larger than this server accepts. expected at most 5"),
        (400, "no audio stream", "could not be read as sound or video. no audio stream"),
        (429, "try later", "The server is busy"),
        (503, "shutting down", "The server is busy. Try again in a moment. shutting down"),
        (500, "<i>it</i> failed", "The server reports: <i>it</i> failed"),
    ],
)
def test_a_refused_file_says_why(page, status, message, says):
    code = "invalid_audio" if status == 400 else None
    answer_upload(page, [{"error": {"message": message, "code": code}}], status)
    page.locator("#files").set_input_files(SAMPLE)
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(says)
    expect(page.locator(".state")).to_have_text("Not complete")


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ({"error": {"message": "part 0:30 failed"}}, "The server reports: part 0:30 failed"),
        (delta("。", 2.0, 3.0), "The server cannot be reached"),  # the answer breaks off
    ],
)
def test_what_came_before_a_failure_is_kept(page, last, says):
    answer_upload(page, [TWO_SENTENCES[0], last])
    page.locator("#files").set_input_files(SAMPLE)
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text(says)
    expect(page.locator(".sentences li").first).to_contain_text("你好，世界。")
    expect(page.get_by_role("button", name="Save as TXT")).to_be_visible()


def test_an_empty_file_is_not_sent(page):
    empty = {"name": "empty.wav", "mimeType": "audio/wav", "buffer": b""}
    page.locator("#files").set_input_files(empty)
    expect(page.get_by_role("alert").filter(visible=True)).to_have_text("The file is empty.")


def test_files_wait_for_their_turn_and_can_be_taken_out(page):
    held: list[object] = []
    page.route("**/v1/audio/transcriptions", lambda route: held.append(route))
    page.locator("#files").set_input_files([SAMPLE, SAMPLE, SAMPLE])
    second = page.locator("article").nth(1)  # the latest is on top
    expect(page.locator("article").nth(0).locator(".state")).to_have_text("Waiting for its turn")
    second.get_by_role("button", name="Cancel").click()
    expect(page.locator("article")).to_have_count(2)
    wait_for(page, lambda: len(held) == 1)
    answer_upload(page, TWO_SENTENCES)
    page.locator("article").nth(1).get_by_role("button", name="Cancel").click()
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator(".state")).to_have_text("Complete")


def test_a_dropped_file_is_transcribed(page):
    answer_upload(page, TWO_SENTENCES)
    page.evaluate(
        """() => {
          const dataTransfer = new DataTransfer();
          dataTransfer.items.add(new File(["x"], "talk.m4a"));
          for (const name of ["dragenter", "dragover", "drop"]) {
            const event = new DragEvent(name, { dataTransfer, bubbles: true, cancelable: true });
            document.querySelector("h1").dispatchEvent(event);
          }
        }"""
    )
    expect(page.get_by_role("heading", name="talk.m4a")).to_be_visible()
    expect(page.locator(".state")).to_have_text("Complete")
    notice = page.get_by_role("alert").filter(visible=True)
    expect(notice).to_have_text("The server notes: no hotwords")


def test_a_file_that_the_browser_cannot_play_keeps_its_text(page):
    answer_upload(page, TWO_SENTENCES)
    odd = {"name": "call.amr", "mimeType": "audio/amr", "buffer": b"#!AMR\n" + bytes(64)}
    page.locator("#files").set_input_files(odd)
    expect(page.get_by_text("cannot play the file")).to_be_visible()
    expect(page.locator(".sentences li")).to_have_count(2)
    expect(page.locator(".sentences button")).to_have_count(0)
    with page.expect_download() as download:
        page.get_by_role("button", name="Save as TXT").click()
    assert download.value.suggested_filename == "call.txt"
    assert Path(download.value.path()).read_text() == "你好，世界。\nAnd then & there.\n"


# For everybody


def test_the_page_speaks_the_readers_language(browser, address):
    page = open_page(browser, address, locale="zh-CN")
    expect(page.get_by_role("heading", level=1)).to_have_text("语音转文字")
    expect(page.locator("html")).to_have_attribute("lang", "zh-CN")
    answer_upload(page, TWO_SENTENCES)
    page.locator("#files").set_input_files(SAMPLE)
    expect(page.locator(".state")).to_have_text("已完成")
    page.get_by_role("button", name="English").click()
    expect(page.locator(".state")).to_have_text("Complete")
    expect(page).to_have_title("Speech to text")
    expect(page.get_by_role("button", name="English")).to_have_attribute("aria-pressed", "true")
    # What was said keeps the language it was said in.
    expect(page.locator(".sentences span").first).to_have_attribute("lang", "zh")
    expect(page.locator(".sentences span").last).to_have_attribute("lang", "en")
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Speech to text")
    page.context.close()


def test_choices_are_kept(page):
    page.get_by_label("Model").select_option("paraformer")
    expect(page.get_by_label("Spoken language")).to_be_disabled()
    page.get_by_label("Numbers as figures").uncheck()
    page.reload()
    expect(page.get_by_label("Model")).to_have_value("paraformer")
    expect(page.get_by_label("Numbers as figures")).not_to_be_checked()


def test_everything_can_be_done_with_the_keyboard(page):
    answer_upload(page, TWO_SENTENCES)
    page.locator("#files").set_input_files(SAMPLE)  # the browser's own dialog is not ours to test
    expect(page.locator(".state")).to_have_text("Complete")
    seen = []
    for _ in range(40):
        page.keyboard.press("Tab")
        seen.append(
            page.evaluate(
                """() => {
                  const focused = document.activeElement;
                  const label = focused.type === "file" ? focused.nextElementSibling : focused;
                  const style = getComputedStyle(label);
                  const name = focused.getAttribute("aria-label") || focused.id ||
                    focused.tagName === "AUDIO" && "player" || focused.textContent.trim();
                  return [name, style.outlineStyle !== "none" || focused.tagName === "AUDIO"];
                }"""
            )
        )
        if seen[-1][0] == "Copy text":
            break
    assert all(outlined for _, outlined in seen), seen  # the focus can be seen everywhere
    names = list(dict.fromkeys(name for name, _ in seen))
    assert names == [
        "Skip to transcripts",
        "English",
        "中文",
        "record",
        "files",
        "model",
        "language",
        "itn",
        "Hotwords and API key",
        "transcript-1-remove",
        "player",
        "0:00你好，世界。",
        "0:01And then & there.",
        "Save as TXT",
        "Save as SRT",
        "Save as VTT",
        "Copy text",
    ]
    note_highlights(page)
    page.locator(".sentences button").nth(1).focus()
    page.keyboard.press("Enter")
    wait_for_highlight(page, 1)
    page.get_by_role("button", name="Remove").focus()
    page.keyboard.press("Enter")
    expect(page.locator("#transcripts")).to_be_focused()
    Recogniser(page)
    page.locator("#record").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Stop")).to_be_focused()
    page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Cancel")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.get_by_role("button", name="Record")).to_be_focused()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en-US", "zh-CN"])
def test_axe_finds_nothing(browser, address, scheme, locale):
    page = open_page(browser, address, locale=locale, color_scheme=scheme)
    page.locator("summary").click()
    no_violations(page)
    answer_upload(page, [TWO_SENTENCES[0], {"error": {"message": "no more"}}])
    page.locator("#files").set_input_files(SAMPLE)
    expect(page.locator("article").get_by_role("alert")).to_contain_text("no more")
    server = Recogniser(page)
    page.locator("#record").click()
    wait_for(page, lambda: server.messages)
    server.sentence("你好。", 100, [[0, 200], [200, 400]])
    server.partial("and", index=1)
    expect(page.locator(".partial").first).to_have_text("and")
    page.locator("article").last.locator("li").first.evaluate("e => e.ariaCurrent = 'true'")
    no_violations(page)
    page.context.close()
