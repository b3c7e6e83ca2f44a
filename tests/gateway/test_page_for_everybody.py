"""The page in every language, by keyboard, and for screen readers."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from tests.gateway.browser import note_highlights, open_page, wait_for_highlight
from tests.gateway.page_answers import (
    SAMPLE,
    TWO_SENTENCES,
    Recogniser,
    answer_upload,
    no_violations,
    wait_for,
)


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
    expect(page.get_by_text("of a short sentence may be mistaken")).to_be_visible()
    page.get_by_label("Model").select_option("paraformer")
    expect(page.get_by_label("Spoken language")).to_be_disabled()
    expect(page.get_by_text("of a short sentence may be mistaken")).to_be_hidden()
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
        "online-model",
        "language",
        "speakers",
        "itn",
        "Hotwords and API key",
        "transcript-1-remove",
        "What the server says",
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
