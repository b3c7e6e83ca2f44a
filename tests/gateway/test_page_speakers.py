"""Who speaks, on the page: colours, names that can be changed, corrections, what is saved."""

from __future__ import annotations

from pathlib import Path

from playwright.sync_api import expect

from tests.gateway.page_answers import (
    DONE,
    SAMPLE,
    answer_upload,
    delta,
    no_violations,
    start_recording,
)

THREE = [
    delta("你好。", 0.25, 1.0) | {"speaker": "S1"},
    delta("Good morning.", 1.2, 2.0) | {"speaker": "S2"},
    delta("再见。", 2.2, 3.0) | {"speaker": "S1"},
    DONE,
]


def test_names_can_be_changed_and_are_saved(page, tmp_path):
    answer_upload(page, THREE)
    page.get_by_label("Speakers", exact=True).select_option("2")
    with page.expect_request("**/v1/audio/transcriptions") as sent:
        page.locator("#files").set_input_files(SAMPLE)
    body = sent.value.post_data_buffer
    assert b'name="speakers"\r\n\r\n2\r\n' in body
    expect(page.locator(".state")).to_have_text("Complete")
    marks = page.locator(".sentences .speaker")
    expect(marks).to_have_text(["S1", "S2", "S1"])
    colours = [mark.evaluate("e => getComputedStyle(e).color") for mark in marks.all()]
    assert colours[0] == colours[2] != colours[1]
    page.get_by_label("Name of speaker S1").fill("李伟 <a&b>")
    expect(marks).to_have_text(["李伟 <a&b>", "S2", "李伟 <a&b>"])
    no_violations(page)
    saved = {}
    for format in ("TXT", "SRT", "VTT"):
        with page.expect_download() as download:
            page.get_by_role("button", name=f"Save as {format}").click()
        download.value.save_as(tmp_path / format)
        saved[format] = Path(tmp_path / format).read_text("utf-8")
    assert saved["TXT"] == "[李伟 <a&b>] 你好。\n[S2] Good morning.\n[李伟 <a&b>] 再见。\n"
    assert "[李伟 <a&b>] 你好。" in saved["SRT"]
    assert "<v 李伟 &lt;a&amp;b&gt;>你好。" in saved["VTT"]
    page.get_by_label("Name of speaker S1").fill("")
    expect(marks.first).to_have_text("S1")


def test_without_speakers_nobody_is_named(page):
    answer_upload(page, [delta("你好。", 0.25, 1.0), DONE])
    page.locator("#files").set_input_files(SAMPLE)
    expect(page.locator(".state")).to_have_text("Complete")
    expect(page.locator(".speaker")).to_have_count(0)
    expect(page.locator(".speakers")).to_be_hidden()


def test_live_names_are_corrected_at_the_end(page):
    page.get_by_label("Speakers", exact=True).select_option("auto")
    server = start_recording(page)
    assert server.messages[0]["speakers"] == "auto"
    for number, name in enumerate(("S1", "S2", "S3")):
        start_ms = 2000 * number
        server.say(
            mode="2pass-offline",
            text=f"Number {number}.",
            start_time=start_ms,
            end_time=start_ms + 1500,
            spk_name=name,
        )
    marks = page.locator(".sentences .speaker")
    expect(marks).to_have_text(["S1", "S2", "S3"])
    page.get_by_label("Name of speaker S1").fill("Anna")
    page.get_by_role("button", name="Stop").click()
    turns = [("S1", 0, 1600), ("S2", 2000, 3500), ("S1", 3900, 5600)]
    server.say(
        mode="2pass-offline",
        text="",
        is_final=True,
        spk_turns=[{"spk_name": name, "start": a, "end": b} for name, a, b in turns],
    )
    server.say(mode="2pass", text="", is_final=True, is_end=True)
    expect(page.locator(".state")).to_have_text("Complete")
    expect(marks).to_have_text(["Anna", "S2", "Anna"])
    expect(page.locator(".speaker-name")).to_have_count(2)
