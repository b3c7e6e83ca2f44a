"""A headless Chromium with a microphone that plays a file."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Browser, Page, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_MS = 60_000  # for whatever a page waits for; never how long something takes


@contextmanager
def chromium(microphone: Path | None = None, *, permit: bool = True) -> Iterator[Browser]:
    """Run the system's Chromium, or the one that `playwright install chromium` brings.

    Playwright's event loop occupies its thread, so leave this before anything awaits.

    Args:
        microphone: WAV file that is heard again and again; None for beeps.
        permit: whether the user lets pages use the microphone.
    """
    answer = "use" if permit else "deny-for"
    flags = ["--use-fake-device-for-media-stream", f"--{answer}-fake-ui-for-media-stream"]
    if not permit:
        flags[1] = "--deny-permission-prompts"
    if microphone is not None:
        flags.append(f"--use-file-for-fake-audio-capture={microphone}")
    installed = next(filter(None, map(shutil.which, NAMES)), None)
    with sync_playwright() as playwright:
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
