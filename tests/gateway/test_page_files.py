"""What the page does with files and the answers to their upload, which are made up here."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.sync_api import expect

from tests.gateway.page_answers import SAMPLE, TWO_SENTENCES, answer_upload, delta, wait_for


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
