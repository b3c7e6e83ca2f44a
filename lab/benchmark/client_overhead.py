"""What the blocking client costs beside plain tritonclient, on a server that runs.

    python -m lab.benchmark.client_overhead --url grpc://127.0.0.1:8001 FILE

Both recognise the same file with `sensevoice`, in turns, for the machine changes its speed: one
request at a time, and with `THREADS` threads that share one client. The client's readiness call is
timed too, whose answer costs the server nothing: what is left is the way there and back.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import tritonclient.grpc
import tritonclient.http

from asr_client import Client, load_audio
from asr_client.audio import Waveform
from asr_contract import SAMPLE_RATE, SENSEVOICE_MODEL, language_id, text_norm_id
from asr_contract.tensors import LANGUAGE, TEXT_NORM, WAV, WAV_LENS

THREADS = 8
WARM_UP = 10


class PlainClient:
    """The same requests by tritonclient alone; its HTTP client is for one thread only.

    Args:
        url: grpc://… or http://….
    """

    def __init__(self, url: str) -> None:
        scheme, _, address = url.partition("://")
        self.is_grpc = scheme == "grpc"
        self._triton = tritonclient.grpc if self.is_grpc else tritonclient.http
        self._client = self._triton.InferenceServerClient(address)

    def __enter__(self) -> PlainClient:
        return self

    def __exit__(self, *error: object) -> None:
        self._client.close()

    def transcribe(self, waveform: Waveform) -> bytes:
        """Return the raw text of [samples] float32."""
        tensors = {
            WAV: waveform[np.newaxis],
            WAV_LENS: np.array([[waveform.size]], np.int32),
            LANGUAGE: np.array([[language_id("auto")]], np.int32),
            TEXT_NORM: np.array([[text_norm_id(True)]], np.int32),
        }
        inputs = []
        for name, array in tensors.items():
            dtype = "FP32" if array.dtype == np.float32 else "INT32"
            tensor = self._triton.InferInput(name, list(array.shape), dtype)
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        text: bytes = self._client.infer(SENSEVOICE_MODEL, inputs).as_numpy("TRANSCRIPTS").item()
        return text

    def check_ready(self) -> None:
        """Ask whether the server is ready."""
        if not self._client.is_server_ready():
            raise ConnectionError("the server says that it is not ready")


def paired_ms(
    first: Callable[[], object], second: Callable[[], object], count: int
) -> tuple[float, float, float]:
    """Time two calls in turns.

    Returns:
        median of the first, of the second, and of the differences of the pairs, in ms.
    """
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(count):
        for which in (0, 1) if number % 2 else (1, 0):
            begun_s = time.perf_counter()
            (first, second)[which]()
            times[which].append(1000 * (time.perf_counter() - begun_s))
    differences = [after - before for before, after in zip(*times, strict=True)]
    return statistics.median(times[0]), statistics.median(times[1]), statistics.median(differences)


def per_second(call: Callable[[], object], count: int) -> float:
    """Return how many of `count` calls ended per second, `THREADS` at a time."""
    begun_s = time.perf_counter()
    with ThreadPoolExecutor(THREADS) as pool:
        for done in [pool.submit(call) for _ in range(count)]:
            done.result()
    return count / (time.perf_counter() - begun_s)


def compare(url: str, waveform: Waveform, rounds: int, requests: int) -> None:
    """Print a line for each round and kind of figure: plain tritonclient, the client, both."""
    with PlainClient(url) as plain, Client(url) as client:

        def ask_plain() -> object:
            return plain.transcribe(waveform)

        def ask() -> object:
            return client.transcribe(waveform, sample_rate=SAMPLE_RATE)

        for _ in range(WARM_UP):
            ask_plain()
            ask()
        for _ in range(rounds):
            calls = {
                "readiness, ms": (plain.check_ready, client.check_ready),
                "one request, ms": (ask_plain, ask),
            }
            for name, both in calls.items():
                before, after, extra = paired_ms(*both, requests)
                print(f"{name:20} {before:8.3f} {after:8.3f}  {extra:+.3f}", flush=True)
            after = per_second(ask, requests)
            name = f"{THREADS} threads, 1/s"
            if plain.is_grpc:
                before = per_second(ask_plain, requests)
                print(f"{name:20} {before:8.2f} {after:8.2f}  {100 * (after / before - 1):+.1f} %")
            else:
                print(f"{name:20} {'':8} {after:8.2f}")


def main(arguments: Sequence[str] | None = None) -> None:
    """Run the comparison."""
    parser = argparse.ArgumentParser(description="What the blocking client costs.")
    parser.add_argument("file", type=Path, metavar="FILE")
    parser.add_argument("--url", default="grpc://127.0.0.1:8001")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--requests", type=int, default=100, help="in each round, of each kind")
    options = parser.parse_args(arguments)
    compare(options.url, load_audio(options.file), options.rounds, options.requests)


if __name__ == "__main__":
    main()
