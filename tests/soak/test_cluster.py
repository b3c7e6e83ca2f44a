"""Tritons and gateways are killed, paused and replaced beside live sessions and files.

pytest -m soak -s tests/soak/test_cluster.py; CLUSTER_SESSIONS=60 CLUSTER_FILES=20 say how many.
"""

from __future__ import annotations

import asyncio
import os
import signal
import threading
import time
from collections import Counter
from collections.abc import Callable

import numpy as np
import pytest
import soundfile

from asr_client import AsyncClient
from asr_contract import SAMPLE_RATE
from tests.cluster import Cluster, Heard, running_cluster, speak, upload
from tests.gateway.gateways import spoken_pcm
from tests.serving import EMBEDDED, install_models

pytestmark = pytest.mark.soak

SESSIONS = int(os.environ.get("CLUSTER_SESSIONS", "60"))
FILES = int(os.environ.get("CLUSTER_FILES", "20"))
PAUSE_S = 20.0
BETWEEN_S = 3.0
UTTERANCES = [spoken_pcm(4, seed=seed) for seed in range(6)]
MODELS = ("vad", "sensevoice", "paraformer-online")


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    work = tmp_path_factory.mktemp("cluster")
    repositories = install_models(work, {name: EMBEDDED[name] for name in MODELS})
    options = ("--hold=120", "--drain-s=4", "--max-sessions-per-client=512")
    with running_cluster(repositories, work, 3, 2, *options) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("files")
    paths = []
    for index, audio in enumerate(UTTERANCES):
        path = folder / f"{index}.flac"
        soundfile.write(path, np.tile(np.frombuffer(audio, "<i2"), 4), SAMPLE_RATE)
        paths.append(path)
    return paths


@pytest.fixture(scope="module")
def expected(cluster, files):
    """What is heard when nothing dies."""

    async def listen() -> tuple[list[list[str]], list[str]]:
        gateways = [gateway.seen for gateway in cluster.gateways]
        said = [await speak(gateways, audio, pace=4.0) for audio in UTTERANCES]
        return [each.sentences for each in said], [await upload(gateways, file) for file in files]

    return asyncio.run(listen())


def beside(cluster: Cluster, files, disturb: Callable[[], None]) -> tuple[list, list]:
    """Let people speak, and have files transcribed, again and again while something is done.

    Returns:
        what each utterance came to, and each file: a text, or an error.
    """
    over = threading.Event()
    failure: list[BaseException] = []

    def do() -> None:
        try:
            time.sleep(BETWEEN_S)
            disturb()
            time.sleep(BETWEEN_S)
        except BaseException as error:
            failure.append(error)
        finally:
            over.set()

    said: list[tuple[int, Heard]] = []
    written: list[tuple[int, str | Exception]] = []
    gateways = [gateway.seen for gateway in cluster.gateways]

    async def person(number: int) -> None:
        await asyncio.sleep(number % 20 * 0.2)  # people do not begin together
        while True:
            index = number % len(UTTERANCES)
            said.append((index, await speak(gateways, UTTERANCES[index], first=number)))
            if over.is_set():
                return

    async def transcribe(number: int, client: AsyncClient) -> str:
        file = files[number % len(files)]
        if number % 2:
            return await upload(gateways, file, first=number // 2)
        return (await client.transcribe_file(file)).text

    async def sender(number: int, client: AsyncClient) -> None:
        while not over.is_set():
            text: str | Exception
            try:
                text = await transcribe(number, client)
            except Exception as error:
                text = error
            written.append((number % len(files), text))

    async def run() -> None:
        async with AsyncClient(cluster.urls) as client:
            people = [person(number) for number in range(SESSIONS)]
            senders = [sender(number, client) for number in range(FILES)]
            await asyncio.gather(*people, *senders)

    thread = threading.Thread(target=do)
    thread.start()
    asyncio.run(run())
    thread.join()
    assert failure == []
    return said, written


def check(outcome, expected, *, told: bool) -> None:
    """See that every word is there; `told`: whether clients may hear of failures on the way."""
    said, written = outcome
    texts, file_texts = expected
    wrong = [(texts[index], heard) for index, heard in said if heard.sentences != texts[index]]
    moved = sum(heard.moves for _, heard in said)
    gaps = Counter(error for _, heard in said for error in heard.errors)
    lost = [text for index, text in written if text != file_texts[index]]
    print(
        f"{len(said)} utterances, {moved} moves, {len(wrong)} wrong, {dict(gaps)} told; "
        f"{len(written)} files, {len(lost)} wrong"
    )
    for want, heard in wrong[:5]:
        print("expected", want, "\nheard   ", heard)
    for text in lost[:5]:
        print("file", repr(text))
    assert len(wrong) == len(lost) == 0
    assert told or not gaps


def test_each_server_is_killed_and_one_stops_in_its_tracks(cluster, files, expected):
    def disturb() -> None:
        for triton in cluster.tritons:
            triton.kill()
            time.sleep(BETWEEN_S)
            triton.restart()
            time.sleep(BETWEEN_S)
        with cluster.tritons[0].paused():
            time.sleep(PAUSE_S)

    check(beside(cluster, files, disturb), expected, told=True)


def test_all_are_replaced_one_after_the_other(cluster, files, expected):
    def disturb() -> None:
        for triton in cluster.tritons:
            triton.restart(grace_s=10.0)
            time.sleep(BETWEEN_S)
        for gateway in cluster.gateways:
            assert gateway.stop() == 0
            gateway.start()
            time.sleep(BETWEEN_S)

    check(beside(cluster, files, disturb), expected, told=False)


def test_each_gateway_is_killed(cluster, files, expected):
    """A client that knows what was committed goes on elsewhere."""

    def disturb() -> None:
        for gateway in cluster.gateways:
            gateway.stop(signal.SIGKILL)
            gateway.start()
            time.sleep(BETWEEN_S)

    check(beside(cluster, files, disturb), expected, told=True)
