"""What was asked for is on the screen, on a phone and on a desk."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.gateway.browser import open_page
from tests.gateway.page_answers import (
    SAMPLE,
    TWO_SENTENCES,
    Recogniser,
    answer_upload,
    no_violations,
    start_recording,
    wait_for,
)

SIZES = {"phone": (390, 844), "desk": (1280, 800)}


@pytest.fixture(params=SIZES)
def page(request, browser, address):
    width, height = SIZES[request.param]
    page = open_page(
        browser, address, viewport={"width": width, "height": height}, reduced_motion="reduce"
    )
    yield page
    page.context.close()


def expect_in_sight(page: Page, part: Locator) -> None:
    """Wait until all of a part's first line is on the screen, and not behind the recorder."""
    expect(part).to_be_visible()
    page.wait_for_function(
        """(element) => {
          const { top, left } = element.getBoundingClientRect();
          const seen = document.elementFromPoint(left + 8, top + 8);
          return top >= 0 && top + 16 <= innerHeight && (element.contains(seen) ||
            seen?.contains(element));
        }""",
        arg=part.element_handle(),
    )


def test_a_chosen_file_is_in_sight(page):
    answer_upload(page, TWO_SENTENCES)
    page.locator("#files").set_input_files(SAMPLE)
    expect_in_sight(page, page.locator("article h3"))
    expect_in_sight(page, page.locator("article .state"))
    expect_in_sight(page, page.locator(".sentences li").first)


def test_files_chosen_later_do_not_hide_what_is_under_way(page):
    page.route("**/v1/audio/transcriptions", lambda route: None)  # never answered
    page.locator("#files").set_input_files([SAMPLE] * 9)
    page.evaluate("scrollTo(0, 0)")
    page.locator("#files").set_input_files([SAMPLE] * 9)
    expect_in_sight(page, page.locator("#queue"))
    expect_in_sight(page, page.locator("article h3").first)
    expect(page.locator("#queue")).to_have_text("File 1 of 18")


def test_a_recording_is_in_sight_and_so_is_the_way_to_end_it(page):
    server = start_recording(page)
    expect_in_sight(page, page.locator("article h3"))
    expect_in_sight(page, page.get_by_role("button", name="Stop"))
    expect_in_sight(page, page.locator("#elapsed"))
    for number in range(40):
        server.sentence(f"Sentence {number}.", 1000 * number, [[0, 300], [300, 600]])
    server.partial("and still more", index=40)
    expect_in_sight(page, page.locator(".partial"))
    expect_in_sight(page, page.get_by_role("button", name="Stop"))
    no_violations(page)


def test_who_reads_above_is_not_pulled_down(page):
    server = start_recording(page)
    say_sentences(page, server, 0, 40)
    page.evaluate("scrollTo(0, 0)")
    say_sentences(page, server, 40, 60)
    assert page.evaluate("scrollY") == 0


def say_sentences(page: Page, server: Recogniser, first: int, last: int) -> None:
    for number in range(first, last):
        server.sentence(f"Sentence {number}.", 1000 * number, [[0, 300], [300, 600]])
    wait_for(page, lambda: page.locator(".sentences li").count() == last)
