"""FunASR's own HTML5 client, as published, against the gateway, in Chromium.

    FUNASR_DIR=/path/to/FunASR make soak

`FUNASR_DIR` is a checkout of github.com/modelscope/FunASR; nothing of it is kept here.
"""

from __future__ import annotations

import json
import random
import re

import numpy as np
import pytest
import soundfile
from playwright.sync_api import expect, sync_playwright

from asr_client.text import normalize_numbers
from asr_gateway.funasr.stamps import timestamp
from asr_server.places import ROOT
from tests.funasr_checkout import funasr_file
from tests.funasr_counting import client_pieces
from tests.gateway.browser import chromium, open_page
from tests.gateway.gateways import running_gateway
from tests.gateway.static_server import static_server
from tests.gateway.test_stamps import PIECES, spoken

pytestmark = pytest.mark.soak

SAMPLE = ROOT / "embedded_models" / "samples" / "zh_1.wav"
HEARD = "(报告|发送)"  # of it; what models this small are sure of
PAUSE_S = 2
SHOW = "([text, times]) => handleWithTimestamp(text, times)"
LANGUAGES = ["zh_2", "en_1", "ja_1", "ko_1", "yue_1"]


@pytest.fixture
def page(triton_url, tmp_path):
    samples, rate = soundfile.read(SAMPLE, dtype="int16")
    heard = tmp_path / "heard.wav"
    soundfile.write(heard, np.append(samples, np.zeros(PAUSE_S * rate, np.int16)), rate)
    client = funasr_file("runtime", "html5", "static")
    with (
        sync_playwright() as playwright,
        static_server(client, policy=None) as url,
        running_gateway(triton_url, allowed_origins=(url,)) as gateway,
        chromium(playwright, heard) as browser,
    ):
        page = open_page(browser, url)
        problems: list[str] = []
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("dialog", lambda dialog: (problems.append(dialog.message), dialog.accept()))
        page.on("console", lambda message: print("console:", message.text))
        page.locator("#wssip").fill(gateway.ws)
        yield page
        print("text area:", page.locator("#varArea").input_value())
        assert problems == []


def test_its_counting_never_runs_past_the_times():
    """`handleWithTimestamp`, as published, shows every text with the times of its beginnings."""
    chosen = random.Random(1)
    client = funasr_file("runtime", "html5", "static")
    with (
        sync_playwright() as playwright,
        static_server(client, policy=None) as url,
        chromium(playwright) as browser,
    ):
        page = open_page(browser, url)
        for _ in range(2000):
            text = "".join(chosen.choices(PIECES, k=chosen.randrange(1, 20)))
            text = normalize_numbers(text) if chosen.random() < 0.5 else text
            stamps = timestamp(text, [spoken(text)])
            shown = page.evaluate(
                "([text, times]) => handleWithTimestamp(text, times)", [text, stamps]
            )
            pairs = json.loads(stamps)
            for line, (index, piece) in zip(
                shown.splitlines(), client_pieces(text)[:-1], strict=True
            ):
                assert line == f"{js_number(pairs[index][0] / 1000)}:{piece}"


def js_number(value: float) -> str:
    """Write a number as JavaScript does."""
    return str(int(value)) if value == int(value) else repr(value)


def recognise_file(page, file):
    """Choose a file and wait until the client has been told of the end."""
    page.locator("input[name=recoder_mode][value=file]").check()
    with page.expect_file_chooser() as chooser:
        page.locator("#upfile").click()
    chooser.value.set_files(file)
    expect(page.locator("#info_div")).to_have_text("请点击连接进行识别")
    page.locator("#btnConnect").click()
    expect(page.locator("#varArea")).to_have_value(re.compile("."))
    expect(page.locator("#info_div")).to_have_text("请点击连接")


@pytest.mark.parametrize("name", ["zh_1.wav", "zh_1.mp3"])
def test_file_mode(page, tmp_path, name):
    file = tmp_path / name
    samples, rate = soundfile.read(SAMPLE)
    soundfile.write(file, samples, rate)
    recognise_file(page, file)
    expect(page.locator("#varArea")).to_have_value(re.compile(HEARD))


@pytest.mark.parametrize("itn", ["true", "false"])
@pytest.mark.parametrize("name", LANGUAGES)
def test_file_mode_in_every_language(page, name, itn):
    page.locator(f"input[name=use_itn][value='{itn}']").check()
    recognise_file(page, SAMPLE.with_name(f"{name}.wav"))
    expect(page.locator("#varArea")).to_have_value(re.compile(r"^\d[\d.]*:"))


@pytest.mark.parametrize("mode", ["2pass", "online", "offline"])
def test_microphone_mode(page, mode):
    page.locator(f"input[name=asr_mode][value='{mode}']").check()
    page.locator("#btnConnect").click()
    page.locator("#btnStart").click()
    if mode != "offline":  # which has no text before the end
        expect(page.locator("#varArea")).to_have_value(re.compile("我把"))
    if mode == "2pass":  # the sentence, with times, has come while the microphone was open
        expect(page.locator("#varArea")).to_have_value(re.compile(rf"^\d[\d.]*:.*{HEARD}"))
    else:
        expect(page.locator("#info_div")).to_have_text(re.compile(r"^([5-9]|\d\d)(\.\d+)?s$"))
    page.locator("#btnStop").click()
    expect(page.locator("#varArea")).to_have_value(re.compile(HEARD))
