"""A headless Chromium with a microphone that plays a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, Playwright, expect

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_MS = 180_000  # for whatever a page waits for; never how long something takes
expect.set_options(timeout=TIMEOUT_MS)


@contextmanager
def chromium(
    playwright: Playwright, microphone: Path | None = None, *, permit: bool = True
) -> Iterator[Browser]:
    """Run the system's Chromium, or the one that `playwright install chromium` brings.

    Args:
        playwright: of the module's fixture; its event loop occupies the thread, so a session's
            would be in the way of what awaits in other modules.
        microphone: WAV file that is heard again and again; None for beeps.
        permit: whether the user lets pages use the microphone.
    """
    answer = "--use-fake-ui-for-media-stream" if permit else "--deny-permission-prompts"
    flags = ["--use-fake-device-for-media-stream", answer]
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}")
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    browser = playwright.chromium.launch(executable_path=installed, args=flags)
    try:
        yield browser
    finally:
        browser.close()


def open_page(browser: Browser, url: str, **options) -> Page:
    """Open a page in a context of its own, with nothing stored."""
    context = browser.new_context(**{"locale": "en-US", **options})
    context.set_default_timeout(TIMEOUT_MS)
    page = context.new_page()
    page.goto(url)
    return page


def note_highlights(page: Page) -> None:
    """Have the page remember which sentences were marked as heard, however shortly."""
    page.evaluate(
        """() => {
          window.highlighted = [];
          const note = (changes) => changes
            .filter(({ target }) => target.hasAttribute("aria-current"))
            .forEach(({ target }) => window.highlighted.push(
              [...target.parentElement.children].indexOf(target)));
          new MutationObserver(note).observe(document.querySelector(".sentences"),
            { subtree: true, attributeFilter: ["aria-current"] });
        }"""
    )


def wait_for_highlight(page: Page, index: int) -> None:
    """Wait until a sentence was marked as heard since `note_highlights`."""
    page.evaluate(
        """(index) => new Promise((done) => {
          const look = () => window.highlighted.includes(index) ? done() : setTimeout(look, 20);
          look();
        })""",
        index,
    )
