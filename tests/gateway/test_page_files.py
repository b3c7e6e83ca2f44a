"""What the page does with files and the answers to their upload, which are made up here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Route, expect

from tests.gateway.page_answers import (
    SAMPLE,
    TWO_SENTENCES,
    answer_upload,
    delta,
    fulfil,
    wait_for,
)


@pytest.mark.parametrize(
    ("status", "message", "says"),
    [
        (400, "speakers: needs SciPy", "did not accept these settings"),
        (401, "expected a key", "asks for an API key"),
        (403, "Host: expected a name", "does not accept requests from this address"),
        (413, "expected at most 5 bytes", "The file is larger than this server accepts."),
        (400, "no audio stream", "could not be read as audio or video. It may be damaged"),
        (429, "try later", "The server is busy"),
        (503, "shutting down", "The server is busy. Try again in a moment."),
        (500, "<i>it</i> failed", "The server could not finish this. Try again"),
    ],
)
def test_a_refused_file_says_why(page, status, message, says):
    """In the page's words; the server's are there for who asks."""
    code = "invalid_audio" if message == "no audio stream" else None
    answer_upload(page, [{"error": {"message": message, "code": code}}], status)
    page.locator("#files").set_input_files(SAMPLE)
    notice = page.get_by_role("alert").filter(visible=True)
    expect(notice.locator(".message")).to_contain_text(says)
    expect(page.locator(".state")).to_have_text("Not complete")
    expect(notice.get_by_text(message)).to_have_count(0 if status == 401 else 1)
    expect(notice.get_by_text(message)).to_be_visible(visible=False)
    if status != 401:
        notice.get_by_text("What the server says").click()
        expect(notice.get_by_text(message)).to_be_visible()


@pytest.mark.parametrize(
    ("last", "says"),
    [
        ({"error": {"message": "part 0:30 failed"}}, "The server could not finish this"),
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
    notice = page.get_by_role("alert").filter(visible=True)
    expect(notice.locator(".message")).to_have_text("The file is empty.")
    expect(notice.locator("details")).to_be_hidden()


def test_files_wait_for_their_turn_and_can_be_taken_out(page):
    held: list[object] = []
    page.route("**/v1/audio/transcriptions", lambda route: held.append(route))
    page.locator("#files").set_input_files([SAMPLE, SAMPLE, SAMPLE])
    first, second, third = (page.locator("article").nth(index) for index in range(3))
    expect(second.locator(".state")).to_have_text("Waiting for its turn")
    expect(third.locator(".state")).to_have_text("Waiting for its turn")
    expect(page.locator("#queue")).to_have_text("File 1 of 3")
    second.get_by_role("button", name="Cancel").click()
    expect(page.locator("article")).to_have_count(2)
    expect(page.locator("#queue")).to_have_text("File 1 of 2")
    wait_for(page, lambda: len(held) == 1)
    answer_upload(page, TWO_SENTENCES)
    first.get_by_role("button", name="Cancel").click()
    expect(page.locator("article")).to_have_count(1)
    expect(page.locator(".state")).to_have_text("Complete")
    expect(page.locator("#queue")).to_be_hidden()


def test_what_is_under_way_is_on_top_and_says_how_far_it_is(page):
    """Then what is complete, the latest first, then what waits."""
    held: list[Route] = []
    page.route("**/v1/audio/transcriptions", lambda route: held.append(route))
    names = ["a.wav", "b.wav", "c.wav", "d.wav"]
    files = [{"name": n, "mimeType": "audio/wav", "buffer": SAMPLE.read_bytes()} for n in names]

    def titles() -> list[str]:
        return page.locator("article h3").all_inner_texts()

    page.locator("#files").set_input_files(files)
    expect(page.locator("#queue")).to_have_text("File 1 of 4")
    assert titles() == names
    for number, expected in [(2, "bacd"), (3, "cbad")]:
        wait_for(page, lambda: held)
        fulfil(held.pop(), TWO_SENTENCES)
        expect(page.locator("#queue")).to_have_text(f"File {number} of 4")
        assert titles() == [f"{letter}.wav" for letter in expected]
        expect(page.locator("article").first.locator("progress")).to_be_visible()
        expect(page.locator("article").last.locator("progress")).to_be_hidden()


def test_progress_is_told_in_time(page):
    """The last event that says how far it is; the answer then breaks off."""
    answer_upload(page, [TWO_SENTENCES[0]])
    page.evaluate(
        """() => {
          window.states = [];
          const note = (changes) =>
            changes.forEach(({ target }) => window.states.push(target.textContent));
          const list = document.querySelector("#transcript-list");
          new MutationObserver(note).observe(list, { subtree: true, childList: true });
        }"""
    )
    page.locator("#files").set_input_files(SAMPLE)
    expect(page.locator(".state")).to_have_text("Not complete")
    states = page.evaluate("window.states")
    assert any(re.match(r"Recognised (0:01 of 0:0\d|until 0:01)$", state) for state in states)


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
    expect(notice.locator(".message")).to_contain_text("Some settings could not be applied")
    expect(notice.locator(".detail")).to_have_text("no hotwords")


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
