"""What the page does with a microphone and a recogniser's answers, which are made up here."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest
import soundfile
from playwright.sync_api import expect

from tests.gateway.browser import chromium, open_page
from tests.gateway.page_answers import SAMPLE, Recogniser, loudest, start_recording, wait_for
from tests.gateway.static_server import static_server


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


def test_a_sentence_says_which_language_was_heard(page):
    server = start_recording(page)
    server.say(mode="2pass-offline", text="そう。", language="ja", start_time=0, end_time=900)
    server.say(mode="2pass-offline", text="嗯。", language="nospeech", start_time=900, end_time=999)
    rows = page.locator(".sentences li")
    expect(rows).to_have_count(2)
    expect(rows.first.locator(".language")).to_have_text("Japanese")
    expect(rows.first.locator("span").first).to_have_attribute("lang", "ja")
    expect(rows.last.locator(".language")).to_have_count(0)
    page.get_by_role("button", name="中文").click()
    expect(rows.first.locator(".language")).to_have_text("日语")


def test_the_model_of_the_text_while_speaking_can_be_chosen(page):
    page.get_by_label("Text while you speak").select_option("streaming_paraformer")
    server = start_recording(page)
    assert server.messages[0]["online_model"] == "streaming_paraformer"
    page.get_by_role("button", name="Cancel").click()
    page.get_by_label("Text while you speak").select_option("sensevoice")
    page.get_by_label("Model").select_option("Paraformer")  # whose languages the other has
    expect(page.get_by_label("Text while you speak")).to_be_disabled()


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
        "online_model": "sensevoice",
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
    expect(page.locator(".state")).to_have_text("Complete; no speech found")
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


def test_the_servers_own_words_are_there_for_who_asks(page):
    server = start_recording(page)
    server.say(mode="2pass", text="", warning="<b>these models</b> know no hotwords")
    notice = page.get_by_role("alert").filter(visible=True)
    expect(notice.locator(".message")).to_contain_text("Some settings could not be applied")
    notice.get_by_text("What the server says").click()
    expect(notice.locator(".detail")).to_have_text("<b>these models</b> know no hotwords")
    server.say(mode="2pass", text="", is_final=True, error="the gateway has 9 sessions open")
    expect(notice.locator(".message")).to_contain_text("could not finish this")
    expect(notice.locator(".detail")).to_have_text("the gateway has 9 sessions open")


@pytest.mark.parametrize(
    ("status", "says"),
    [
        (401, "The server asks for an API key"),
        (200, "The server is busy"),
        (502, "could not finish"),
    ],
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
