"""Processes of `serve` are killed at random beside live sessions, for minutes.

RESTARTS_S=600 pytest -m soak -s tests/soak/test_restarts.py
"""

from __future__ import annotations

import asyncio
import os
import random
import threading
import time

import psutil
import pytest
import websockets

from asr_gateway.shared.settings import GatewaySettings
from tests.doors.test_restarts import heard
from tests.gateway.gateways import RunningGateway, recognise, spoken_pcm
from tests.serve_command import serving
from tests.serving import EMBEDDED, install_models

pytestmark = pytest.mark.soak

DURATION_S = float(os.environ.get("RESTARTS_S", "600"))
PAUSE_S = 20.0
SESSIONS = 10
MODES = ("2pass", "online", "offline")
UTTERANCES = [spoken_pcm(2, seed=seed) for seed in range(4)]


def kill_something(server, choice: random.Random) -> str:
    """Kill one of the processes; returns what it was."""
    victim = choice.choice(server.family())
    try:
        name = " ".join(victim.cmdline())
        victim.kill()
    except psutil.Error:
        return "nothing"
    return name[:60]


def wait_until_all_answer(server, gateway) -> float:
    """Return how long it took until an utterance of each kind was recognised."""
    begun_s = time.monotonic()
    while True:
        try:
            for mode in MODES:
                asyncio.run(recognise(gateway, UTTERANCES[0], mode=mode))
            return time.monotonic() - begun_s
        except (OSError, websockets.WebSocketException, KeyError):
            time.sleep(0.2)


def test_sessions_beside_random_deaths(tmp_path):
    """A session gives what it gives without deaths, or is told; everything comes back in time."""
    repositories = install_models(tmp_path, {name: EMBEDDED[name] for name in EMBEDDED})
    choice = random.Random(15)
    begun_s = time.monotonic()
    with serving(repositories, tmp_path / "server.log", gateway=True) as server:
        cold_s = time.monotonic() - begun_s
        gateway = RunningGateway(f"127.0.0.1:{server.gateway_port}", GatewaySettings())
        expected = {
            (mode, index): heard(asyncio.run(recognise(gateway, audio, mode=mode)))
            for mode in MODES
            for index, audio in enumerate(UTTERANCES)
        }
        right, told, wrong = [], [], []
        over = threading.Event()

        def speak(number: int) -> None:
            mine = random.Random(number)
            while not over.is_set():
                mode, index = mine.choice(list(expected))
                try:
                    received = asyncio.run(recognise(gateway, UTTERANCES[index], mode=mode))
                except (OSError, websockets.WebSocketException) as error:
                    told.append(error)  # the gateway itself died, or said that it cannot
                    time.sleep(0.5)
                    continue
                if any("error" in reply for reply in received):
                    told.append(received[-1]["error"])
                elif heard(received) == expected[mode, index]:
                    right.append(mode)
                else:
                    wrong.append((mode, index, heard(received)))

        threads = [threading.Thread(target=speak, args=(number,)) for number in range(SESSIONS)]
        for thread in threads:
            thread.start()
        slowest_s = 0.0
        while time.monotonic() - begun_s < DURATION_S:
            time.sleep(PAUSE_S * choice.random())
            print(f"killed {kill_something(server, choice)}")
            slowest_s = max(slowest_s, wait_until_all_answer(server, gateway))
        over.set()
        for thread in threads:
            thread.join()
        print(
            f"{len(right)} right, {len(told)} told, slowest {slowest_s:.1f} s, cold {cold_s:.1f} s"
        )
        assert wrong == []
        assert right
        assert slowest_s < 1.2 * cold_s + 10  # and the utterances themselves, beside ten others
