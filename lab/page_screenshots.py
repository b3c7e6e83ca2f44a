"""Takes the pictures of the web page in docs/images: a phone and a desk, light and dark.

    triton-asr-server serve --gateway &
    python -m lab.page_screenshots --url http://127.0.0.1:10095

Needs Chromium and the extra `test`. The texts are those of the models that are served.
"""

from __future__ import annotations

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import Browser, expect, sync_playwright

from asr_server.places import ROOT

SIZES = {"phone": (390, 844), "desk": (1280, 900)}
SCHEMES = ("light", "dark")
# English, since a machine may lack the fonts of the others.
RECORDINGS = [ROOT / "embedded_models" / "samples" / "en_1.wav"]
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
TIMEOUT_MS = 120_000


def picture(browser: Browser, url: str, size: str, scheme: str, path: Path) -> None:
    """Transcribe files on the page, and write what is then seen.

    Args:
        browser: Chromium.
        url: of the gateway.
        size: one of `SIZES`.
        scheme: "light" or "dark".
        path: PNG to be written.
    """
    width, height = SIZES[size]
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if scheme == "dark" else "light",
        reduced_motion="reduce",
        locale="en-US",
    )
    page = context.new_page()
    page.goto(url)
    for recording in RECORDINGS:
        page.get_by_label("Spoken language").select_option(recording.name.partition("_")[0])
        page.locator("#files").set_input_files(recording)
        expect(page.locator(".state").first).to_have_text("Complete", timeout=TIMEOUT_MS)
    page.screenshot(path=path, full_page=True)
    context.close()


def main() -> None:
    """Take all pictures."""
    parser = argparse.ArgumentParser(description="Take pictures of the gateway's web page.")
    parser.add_argument("--url", default="http://127.0.0.1:10095", help="default: %(default)s")
    parser.add_argument("--folder", type=Path, default=ROOT / "docs" / "images")
    options = parser.parse_args()
    options.folder.mkdir(parents=True, exist_ok=True)
    installed = next(filter(None, map(shutil.which, BROWSERS)), None)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=installed)
        for size in SIZES:
            for scheme in SCHEMES:
                path = options.folder / f"page-{size}-{scheme}.png"
                picture(browser, options.url, size, scheme, path)
                print(path)


if __name__ == "__main__":
    main()
