"""Plain sequence requests to streaming models, and what servers tell about open sequences."""

from __future__ import annotations

import re
import secrets
import time
from urllib.request import urlopen

import numpy as np
import tritonclient.grpc
from tritonclient.utils import np_to_triton_dtype

from scripts.triton_server import TritonServer

MODEL = "streaming_paraformer"


class Stream:
    """One sequence; the answers' texts are collected."""

    def __init__(
        self, server: TritonServer, key: int | None = None, chunk_size: str | None = None
    ) -> None:
        self.key = key or secrets.randbits(62) + 1
        self.parameters = {"chunk_size": chunk_size} if chunk_size else None
        self.new_texts: list[str] = []
        self.words: list[tuple[str, int, int]] = []
        self._started = False
        self._client = tritonclient.grpc.InferenceServerClient(server.grpc_url)

    @property
    def text(self) -> str:
        """What was given out so far."""
        return "".join(self.new_texts)

    def send(
        self,
        samples: np.ndarray,
        end: bool = False,
        start: bool | None = None,
        length: int | None = None,
        timeout: float = 120.0,
    ):
        """Send float32 samples; the first request starts the sequence unless told otherwise."""
        start = not self._started if start is None else start
        arrays = {
            "WAV": samples[None],
            "WAV_LENS": np.array([[len(samples) if length is None else length]], np.int32),
        }
        inputs = []
        for name, array in arrays.items():
            tensor = tritonclient.grpc.InferInput(
                name, list(array.shape), np_to_triton_dtype(array.dtype)
            )
            tensor.set_data_from_numpy(array)
            inputs.append(tensor)
        result = self._client.infer(
            MODEL,
            inputs,
            sequence_id=self.key,
            sequence_start=start,
            sequence_end=end,
            parameters=self.parameters if start else None,
            client_timeout=timeout,
        )
        self._started = True
        outputs = {
            output.name: result.as_numpy(output.name) for output in result.get_response().outputs
        }
        self.new_texts.append(outputs["TRANSCRIPTS"][0, 0].decode())
        for token, (begin, finish) in zip(
            outputs["TOKENS"][0], outputs["TIMESTAMPS"][0].tolist(), strict=True
        ):
            self.words.append((token.decode(), begin, finish))
        return outputs

    def run(self, samples: np.ndarray, piece: int = 9600) -> str:
        """Send a whole recording in pieces; the last ends the stream."""
        for begin in range(0, max(len(samples), 1), piece):
            self.send(samples[begin : begin + piece], end=begin + piece >= len(samples))
        return self.text


def open_sessions(server: TritonServer, model: str = "streaming_cif_search") -> int:
    """Streams whose state a model keeps, from the server's metrics."""
    with urlopen(f"{server.metrics_url}", timeout=10) as answer:
        metrics = answer.read().decode()
    pattern = rf'^asr_open_sessions\{{[^}}]*"{model}"[^}}]*\}} (\S+)$'
    found = re.search(pattern, metrics, re.M)
    return int(float(found[1])) if found else 0


def wait_for_open_sessions(
    server: TritonServer,
    expected: int,
    timeout_s: float = 120.0,
    model: str = "streaming_cif_search",
) -> None:
    """Wait until as many sessions of a model are open.

    Raises:
        TimeoutError: they are not.
    """
    deadline = time.monotonic() + timeout_s
    while (found := open_sessions(server, model)) != expected:
        if time.monotonic() > deadline:
            raise TimeoutError(f"expected {expected} open sessions, found {found}")
        time.sleep(0.1)
