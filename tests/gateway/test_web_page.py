"""The page at work: Chromium, a microphone that plays a sample, a gateway, Triton and models."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import pytest
import requests
import soundfile
from playwright.sync_api import Page, expect

from asr_server.places import ROOT
from tests.client.media_files import ffmpeg
from tests.gateway.browser import chromium, note_highlights, open_page, wait_for_highlight
from tests.gateway.gateways import running_gateway

SAMPLES = ROOT / "embedded_models" / "samples"
HEARD = re.compile("报告|发送")  # of zh_1.wav; what models this small are sure of
PAUSE_S = 2  # longer than the VAD waits


@pytest.fixture(scope="module")
def browser(playwright, tmp_path_factory):
    samples, rate = soundfile.read(SAMPLES / "zh_1.wav", dtype="int16")
    heard = tmp_path_factory.mktemp("microphone") / "heard.wav"
    soundfile.write(heard, np.append(samples, np.zeros(PAUSE_S * rate, np.int16)), rate)
    with chromium(playwright, heard) as browser:
        yield browser


@pytest.fixture
def page(browser, gateway):
    """The page, which may ask for nothing that is not the gateway's."""
    page = open_page(browser, "about:blank")
    asked: list[str] = []
    problems: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("websocket", lambda socket: asked.append(socket.url))
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if "Security Policy" in m.text else None)
    page.goto(gateway.http)
    yield page
    page.context.close()
    own = tuple(f"{origin}/" for origin in (gateway.http, gateway.ws, f"blob:{gateway.http}"))
    assert [url for url in asked if not url.startswith(own)] == []
    assert problems == []


def downloaded(page: Page, name: str) -> str:
    with page.expect_download() as download:
        page.get_by_role("button", name=name).click()
    return Path(download.value.path()).read_text(encoding="utf-8")


# What Firefox does: microphones connect only at the rate of the sound card.
OWN_RATE = """() => {
  const connect = AudioContext.prototype.createMediaStreamSource;
  AudioContext.prototype.createMediaStreamSource = function (stream) {
    if (this.sampleRate === 16000) throw new DOMException("another rate", "NotSupportedError");
    return connect.call(this, stream);
  };
}"""


@pytest.mark.parametrize("resampler", ["the browser's", "ours"])
def test_speech_becomes_text_while_it_is_heard_and_a_sentence_behind_it(page, resampler):
    if resampler == "ours":
        page.evaluate(OWN_RATE)
    page.get_by_label("Spoken language").select_option("zh")
    page.get_by_role("button", name="Record").click()
    expect(page.locator(".partial")).to_contain_text("我把")
    expect(page.locator("#elapsed")).not_to_have_text("0:00")
    first = page.locator(".sentences li").first
    expect(first).to_contain_text(HEARD)
    page.get_by_role("button", name="Stop").click()
    expect(page.locator(".state")).to_have_text("Complete")
    expect(page.locator(".partial")).to_be_hidden()
    note_highlights(page)
    first.get_by_role("button").click()
    wait_for_highlight(page, 0)
    expect(first).not_to_have_attribute("aria-current", "true")  # at the sentence's end
    assert page.locator("audio").evaluate("audio => audio.paused")
    cues = downloaded(page, "Save as SRT").strip().split("\n\n")
    assert HEARD.search(cues[0].split("\n", 2)[2])
    heard_s = page.locator("audio").evaluate("audio => [audio.currentTime, audio.duration]")
    assert 0 < heard_s[0] < heard_s[1]


@pytest.mark.parametrize(("extension", "model"), [("wav", "SenseVoice"), ("m4a", "Paraformer")])
def test_a_file_becomes_sentences_that_can_be_played_and_saved(
    page, gateway, tmp_path, extension, model
):
    file = tmp_path / f"报告 1.{extension}"
    samples = [SAMPLES / name for name in ("zh_1.wav", "zh_2.wav", "zh_3.wav")]
    inputs = [word for sample in samples for word in ("-i", str(sample))]
    joined = "concat=n=3:v=0:a=1,apad=pad_dur=1"
    ffmpeg(*inputs, "-filter_complex", f"[0][1][2]{joined}", str(file))
    page.get_by_label("Model").select_option(model)
    if model == "SenseVoice":
        page.get_by_label("Spoken language").select_option("zh")
    page.locator("#files").set_input_files(file)
    expect(page.get_by_role("heading", name=file.name)).to_be_visible()
    expect(page.locator(".state")).to_have_text("Complete")
    texts = page.locator(".sentences button span").all_inner_texts()
    assert len(texts) >= 2
    assert HEARD.search(texts[0])

    note_highlights(page)
    last = page.locator(".sentences button").last
    start_s = page.locator("audio").evaluate(
        """(audio, button) => new Promise((done) => {
             audio.addEventListener("seeked", () => {
               const start = audio.currentTime;
               audio.addEventListener("timeupdate", () => audio.currentTime > start && done(start));
             });
             button.click();
           })""",
        last.element_handle(),
    )
    wait_for_highlight(page, len(texts) - 1)
    assert start_s > 3  # behind the first sample

    for name in ("srt", "vtt"):
        with file.open("rb") as upload:
            answer = requests.post(
                f"{gateway.http}/v1/audio/transcriptions",
                files={"file": upload},
                data={"model": model.lower(), "language": "zh", "response_format": name},
                timeout=300,
            )
        answer.encoding = "utf-8"
        assert downloaded(page, f"Save as {name.upper()}") == answer.text
    assert downloaded(page, "Save as TXT").splitlines() == texts


def test_what_is_no_sound_is_named(page, tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("nothing to hear")
    page.locator("#files").set_input_files(file)
    notice = page.get_by_role("alert").filter(visible=True)
    expect(notice).to_contain_text("could not be read as audio or video")


def test_a_file_beyond_the_limit_is_named(browser, triton_url, tmp_path):
    file = tmp_path / "large.wav"
    file.write_bytes(bytes(5_000_000))
    with running_gateway(triton_url, max_upload_bytes=1_000_000) as gateway:
        page = open_page(browser, gateway.http)
        page.locator("#files").set_input_files(file)
        notice = page.get_by_role("alert").filter(visible=True)
        expect(notice).to_contain_text("larger than this server accepts")
        page.context.close()


def test_a_key_is_asked_for_and_then_used(browser, triton_url):
    with running_gateway(triton_url, api_keys=("open sesame",)) as gateway:
        page = open_page(browser, gateway.http)
        notice = page.get_by_role("alert").filter(visible=True)
        page.get_by_role("button", name="Record").click()
        expect(notice).to_contain_text("asks for an API key")
        expect(page.get_by_label("API key")).to_be_focused()
        page.get_by_role("button", name="Remove").click()
        page.locator("#files").set_input_files(SAMPLES / "zh_1.wav")
        expect(notice).to_contain_text("asks for an API key")
        page.get_by_role("button", name="Remove").click()
        page.get_by_label("API key").fill("open sesame")
        page.locator("#files").set_input_files(SAMPLES / "zh_1.wav")
        expect(page.locator(".state")).to_have_text("Complete")
        page.get_by_role("button", name="Record").click()
        expect(page.locator(".partial").first).to_contain_text("我把")
        page.get_by_role("button", name="Cancel").click()
        page.context.close()


def test_a_gateway_that_ends_while_somebody_speaks_keeps_the_text(browser, triton_url):
    with running_gateway(triton_url, shutdown_grace_s=120) as gateway:
        page = open_page(browser, gateway.http)
        page.get_by_role("button", name="Record").click()
        expect(page.locator(".sentences li").first).to_contain_text(HEARD)
    expect(page.get_by_role("alert").filter(visible=True)).to_contain_text("shutting down")
    expect(page.locator(".sentences button").first).to_contain_text(HEARD)
    expect(page.get_by_role("button", name="Save as WAV")).to_be_visible()
    page.context.close()
