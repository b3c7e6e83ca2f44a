"""One gateway in front of the suite's Triton, and the page alone in a browser."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import soundfile
from playwright.sync_api import sync_playwright

from asr_client import Client
from asr_contract import SAMPLE_RATE
from tests.gateway.browser import chromium, open_page
from tests.gateway.gateways import running_gateway, spoken_pcm
from tests.gateway.static_server import static_server


@pytest.fixture(scope="session")
def triton(triton_server):
    return triton_server.server


@pytest.fixture(scope="session")
def triton_url(triton):
    return f"grpc://{triton.grpc_url}"


@pytest.fixture(scope="session")
def gateway(triton_url):
    with running_gateway(triton_url) as gateway:
        yield gateway


@pytest.fixture(scope="session")
def talk(tmp_path_factory) -> Path:
    """A file of three utterances."""
    path = tmp_path_factory.mktemp("http") / "talk.flac"
    soundfile.write(path, np.frombuffer(spoken_pcm(3), "<i2"), SAMPLE_RATE)
    return path


@pytest.fixture(scope="session")
def expected(triton_url, talk):
    """What the SDK says of the file."""
    with Client(triton_url) as client:
        return client.transcribe_file(talk)


@pytest.fixture(scope="module")
def playwright():
    with sync_playwright() as playwright:
        yield playwright


@pytest.fixture(scope="module")
def browser(playwright):
    with chromium(playwright) as browser:
        yield browser


@pytest.fixture(scope="module")
def address():
    with static_server() as url:
        yield url


@pytest.fixture
def page(browser, address):
    """The page without its gateway."""
    page = open_page(browser, address)
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda m: problems.append(m.text) if "Security Policy" in m.text else None)
    yield page
    page.context.close()
    assert problems == []
