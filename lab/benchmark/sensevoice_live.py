"""SenseVoice while somebody speaks: how late text comes with many sessions, at the speed of speech.

    python -m lab.benchmark.sensevoice_live --sessions 1 40

Each session is a websocket of a gateway in a process of its own (`2pass`, SenseVoice in both
passes), five languages in turn, people who begin at different times. "First text" is from the
first word's beginning, as the offline model has it, to the first partial text of its stretch.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import websockets

from asr_client import Client
from asr_contract import SAMPLE_RATE
from lab.training.corpus import LANGUAGES
from tests.gateway.gateways import END, FRAME, begin, spoken_pcm
from tests.serving import EMBEDDED, RANDOM_MODELS, serve_models

FRAME_S = FRAME / 2 / SAMPLE_RATE
UTTERANCES = 6


@dataclass
class Measured:
    """What happened, in seconds."""

    first_text_s: list[float] = field(default_factory=list)
    sentence_s: list[float] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)


async def talk(url: str, audio: bytes, words_ms: list[int], into: Measured, wait_s: float) -> None:
    """Speak to a gateway, and note when text comes.

    Args:
        words_ms: where the first words of the stretches begin.
    """
    await asyncio.sleep(wait_s)
    try:
        async with websockets.connect(url, max_size=None, ping_interval=None) as socket:
            await socket.send(begin(online_model="sensevoice"))
            begun_s = time.monotonic()

            async def read() -> None:
                while True:
                    reply = json.loads(await socket.recv())
                    late_s = time.monotonic() - begun_s
                    if "error" in reply:
                        into.errors.append(reply["error"])
                    if reply.get("is_end"):
                        return
                    if reply.get("slice_type") == 0:
                        spoken = [at for at in words_ms if at <= reply["end_time"]]
                        into.first_text_s += [late_s - at / 1000 for at in spoken[-1:]]
                    elif reply.get("slice_type") == 2:
                        into.sentence_s.append(late_s - reply["end_time"] / 1000)

            reading = asyncio.create_task(read())
            for index, first in enumerate(range(0, len(audio), FRAME)):
                due_s = begun_s + (index + 1) * FRAME_S
                await asyncio.sleep(max(due_s - time.monotonic(), 0))
                await socket.send(audio[first : first + FRAME])
            await socket.send(END)
            await reading
    except Exception as error:
        into.errors.append(repr(error))


def first_words_ms(client: Client, audio: bytes) -> list[int]:
    """Where the first word of each stretch begins, as the offline model has it."""
    samples = np.frombuffer(audio, "<i2").astype(np.float32) / 32768
    with client.stream(model="sensevoice", itn=False) as session:
        session.send(samples)
        session.finish()
        return [each.words[0].start_ms for each in session.sentences if each.words]


async def measure(url: str, spoken: list[tuple[bytes, list[int]]], sessions: int) -> Measured:
    """Let all of them talk."""
    measured = Measured()
    talks = [
        talk(url, *spoken[number % len(spoken)], measured, number % 50 * 0.13)
        for number in range(sessions)
    ]
    await asyncio.gather(*talks)
    return measured


def main() -> int:
    """Run it; returns 1 if a session failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--sessions", type=int, nargs="+", default=[1, 10, 40])
    parser.add_argument("--triton", metavar="URL", help="a server with the embedded models")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        if options.triton:
            return run(options.triton, options.sessions)
        models = {"punctuation": RANDOM_MODELS / "ct_transformer-tiny-seed0", **EMBEDDED}
        models.pop("punctuation_online", None)
        with serve_models(Path(folder, "models"), models) as server:
            return run(f"grpc://{server.grpc_url}", options.sessions)


def run(triton_url: str, counts: list[int]) -> int:
    """Measure each number of sessions."""
    with Client(triton_url) as client:
        recordings = [
            spoken_pcm(UTTERANCES, language, seed) for language in LANGUAGES for seed in (0, 3)
        ]
        spoken = [(audio, first_words_ms(client, audio)) for audio in recordings]
    command = [sys.executable, "-m", "asr_gateway", "--triton", triton_url, "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL) as gateway:
        try:
            assert gateway.stdout is not None
            text = gateway.stdout.readline().decode() + gateway.stdout.readline().decode()
            url = re.findall(r"ws://\S+", text)[0]
            failed = False
            for count in counts:
                measured = asyncio.run(measure(url, spoken, count))
                failed |= bool(measured.errors)
                print(report(count, measured), flush=True)
        finally:
            gateway.terminate()
    return int(failed)


def report(count: int, measured: Measured) -> str:
    """Say what came."""

    def percentiles(values: list[float]) -> str:
        p50, p95 = np.percentile(values, (50, 95)) if values else (np.nan, np.nan)
        return f"p50 {p50:.2f} s, p95 {p95:.2f} s ({len(values)})"

    return (
        f"{count} sessions: first text {percentiles(measured.first_text_s)}; sentence behind its "
        f"end {percentiles(measured.sentence_s)}; errors {measured.errors[:3]}"
    )


if __name__ == "__main__":
    sys.exit(main())
