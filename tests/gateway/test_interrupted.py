"""An utterance goes on where it was, whatever of its recognition failed, and when."""

from __future__ import annotations

import asyncio

import pytest

from asr_client import AsyncStreamSession, ConnectionFailed
from asr_client.files import ServedModels, SpeechDetector
from tests.doors.test_restarts import heard
from tests.gateway.gateways import recognise, spoken_pcm

AUDIO = spoken_pcm(3)

# What of a recognition asks Triton, and how often before and after the failure.
CALLS = [
    (AsyncStreamSession, "open", (0, 1, 2)),
    (AsyncStreamSession, "send", (0, 1)),
    (SpeechDetector, "accept", (0, 1, 2)),
    (SpeechDetector, "finish", (0,)),
    (ServedModels, "recognise", (0, 1, 2)),
]
CASES = [
    (kind, name, number, mode)
    for kind, name, numbers in CALLS
    for number in numbers
    for mode in ("2pass", "online")
    if not (kind is ServedModels and mode == "online")  # which has no second pass
]


@pytest.fixture(scope="module")
def expected(gateway):
    """What is heard when nothing fails."""
    return {mode: said(gateway, mode) for mode in ("2pass", "online")}


def said(gateway, mode):
    return heard(asyncio.run(recognise(gateway, AUDIO, mode=mode)))


@pytest.mark.parametrize(("kind", "name", "number", "mode"), CASES)
def test_nothing_said_is_lost(gateway, expected, monkeypatch, kind, name, number, mode):
    """The gateway runs in this process, so its calls can fail as they do when Triton dies."""
    asked = getattr(kind, name)
    calls = []

    async def fail(*arguments, **options):
        calls.append(name)
        if len(calls) - 1 != number:
            return await asked(*arguments, **options)
        await asyncio.sleep(0.3)  # meanwhile audio comes
        raise ConnectionFailed("Triton has died")

    monkeypatch.setattr(kind, name, fail)
    assert said(gateway, mode) == expected[mode]
    assert len(calls) > number + 1  # it failed, and was asked anew
