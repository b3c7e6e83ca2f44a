"""Whoever uses the service in earnest meanwhile: live sessions, files, and what each got."""

from __future__ import annotations

import asyncio
import io
import threading
import time
import wave

import numpy as np
import requests
import websockets

from asr_client import AsrError, Client
from tests.doors.test_restarts import heard
from tests.gateway.gateways import RunningGateway, recognise, spoken_pcm
from tests.serve_command import Serving

LIVE = 10
FILES = 2
_TIMEOUT_S = 300
_PAUSE_S = 0.3

Period = tuple[float, float]


class Users:
    """Uses all doors for as long as it is told, and compares with what was heard before.

    Attributes:
        right: answers that are what they were.
        wrong: those that are not: when, and what came in place of what.
        told: when failures were told, from the request's begin, and how.
    """

    def __init__(self, server: Serving, gateway: RunningGateway) -> None:
        self._server = server
        self._gateway = gateway
        self._audios = [spoken_pcm(1, seed=seed) for seed in range(3)]
        self._jobs = [
            *(lambda audio=audio: self._live(audio, "2pass") for audio in self._audios),
            lambda: self._live(self._audios[0], "online"),
            lambda: self._upload(self._audios[0]),
            lambda: self._direct(self._audios[1]),
        ]
        self._over = threading.Event()
        self.right = 0
        self.wrong: list[tuple[Period, str]] = []
        self.told: list[tuple[Period, str]] = []
        self._expected = [job() for job in self._jobs]
        self._threads: list[threading.Thread] = []

    def start(self) -> None:
        """Begin."""
        live, files = range(4), range(4, 6)
        kinds = [live[number % 4] for number in range(LIVE)] + [*files] * FILES
        for index in kinds:
            self._threads.append(threading.Thread(target=self._repeat, args=(index,)))
            self._threads[-1].start()

    def stop(self) -> None:
        """End, when what is under way has ended."""
        self._over.set()
        for thread in self._threads:
            thread.join()

    def wait_until_all_answer(self) -> float:
        """Return how long it took until each kind of request was answered."""
        begun_s = time.monotonic()
        for job in self._jobs:
            while time.monotonic() - begun_s < _TIMEOUT_S:
                try:
                    job()
                    break
                except (OSError, websockets.WebSocketException, AsrError, _Told):
                    time.sleep(0.2)
        return time.monotonic() - begun_s

    def unexplained(self, faults: list[Period], recovery_s: float) -> list[tuple[Period, str]]:
        """Return the failures during which, and shortly before which, nothing was injected."""
        return [
            (period, text)
            for period, text in self.told
            if not any(begin < period[1] and period[0] < end + recovery_s for begin, end in faults)
        ]

    def _repeat(self, index: int) -> None:
        while not self._over.is_set():
            begun_s = time.monotonic()
            try:
                got = self._jobs[index]()
            except (OSError, websockets.WebSocketException, AsrError, _Told) as error:
                self.told.append(((begun_s, time.monotonic()), repr(error)[:200]))
                time.sleep(_PAUSE_S)
                continue
            if got == self._expected[index]:
                self.right += 1
            else:
                period = (begun_s, time.monotonic())
                self.wrong.append((period, f"{got} in place of {self._expected[index]}"))
            time.sleep(_PAUSE_S)

    def _live(self, audio: bytes, mode: str) -> object:
        received = asyncio.run(
            asyncio.wait_for(recognise(self._gateway, audio, mode=mode), _TIMEOUT_S)
        )
        errors = [reply["error"] for reply in received if "error" in reply]
        if errors:
            raise _Told(errors[0])
        return heard(received)

    def _upload(self, audio: bytes) -> object:
        answer = requests.post(
            f"{self._gateway.http}/v1/audio/transcriptions",
            files={"file": ("a.wav", _wav(audio))},
            timeout=_TIMEOUT_S,
        )
        if answer.status_code != 200:
            raise _Told(answer.text)
        return answer.json()["text"]

    def _direct(self, audio: bytes) -> object:
        samples = np.frombuffer(audio, "<i2")
        with Client(self._server.grpc_url, timeout_s=_TIMEOUT_S) as client:
            return client.transcribe(samples, sample_rate=16_000).raw_text


class _Told(Exception):
    """The service said that it cannot."""


def _wav(audio: bytes) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as writer:
        writer.setparams((1, 2, 16_000, 0, "NONE", ""))
        writer.writeframes(audio)
    return file.getvalue()
