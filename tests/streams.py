"""Plain sequence requests to streaming models, and what servers tell about open sequences."""

from __future__ import annotations

import re
import secrets
import time
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.request import urlopen

import numpy as np
import tritonclient.grpc
from tritonclient.utils import np_to_triton_dtype

from asr_server.run import TritonServer

Segments = list[tuple[int, int]]

Outputs = dict[str, np.ndarray]


class Sequence:
    """One sequence of a streaming model."""

    def __init__(
        self,
        server: TritonServer,
        model: str,
        key: int | None = None,
        parameters: Mapping[str, str] | None = None,
    ) -> None:
        self.key = key or secrets.randbits(62) + 1
        self._model = model
        self._parameters = dict(parameters or {})
        self._started = False
        self._client = tritonclient.grpc.InferenceServerClient(server.grpc_url)

    def request(
        self,
        samples: np.ndarray,
        end: bool = False,
        start: bool | None = None,
        length: int | None = None,
        timeout: float = 120.0,
    ) -> Outputs:
        """Send float32 samples; the first request starts the sequence unless told otherwise."""
        start = not self._started if start is None else start
        arrays = {
            "WAV": samples[None],
            "WAV_LENS": np.array([[len(samples) if length is None else length]], np.int32),
        }
        inputs = []
        for name, array in arrays.items():
            kind = np_to_triton_dtype(array.dtype)
            inputs.append(tritonclient.grpc.InferInput(name, list(array.shape), kind))
            inputs[-1].set_data_from_numpy(array)
        result = self._client.infer(
            self._model,
            inputs,
            sequence_id=self.key,
            sequence_start=start,
            sequence_end=end,
            parameters=self._parameters if start and self._parameters else None,
            client_timeout=timeout,
        )
        self._started = True
        return {o.name: result.as_numpy(o.name) for o in result.get_response().outputs}


class Stream(Sequence):
    """A sequence of streaming Paraformer; the answers' texts are collected."""

    def __init__(
        self, server: TritonServer, key: int | None = None, chunk_size: str | None = None
    ) -> None:
        parameters = {"chunk_size": chunk_size} if chunk_size else None
        super().__init__(server, "streaming_paraformer", key, parameters)
        self.new_texts: list[str] = []
        self.words: list[tuple[str, int, int]] = []

    @property
    def text(self) -> str:
        """What was given out so far."""
        return "".join(self.new_texts)

    def send(self, samples: np.ndarray, **options: Any) -> Outputs:
        """As `request`."""
        outputs = self.request(samples, **options)
        self.new_texts.append(outputs["TRANSCRIPTS"][0].decode())
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


class VadSequence(Sequence):
    """A sequence of `vad`; `options` are FunASR's."""

    def __init__(self, server: TritonServer, key: int | None = None, **options: Any) -> None:
        super().__init__(server, "vad", key, options)

    def send(self, samples: np.ndarray, end: bool = False, **options: Any) -> Segments:
        """As `request`; returns what was found."""
        outputs = self.request(samples, end, **options)
        assert outputs["IS_FINAL"].tolist() == [[end]]
        return [tuple(row) for row in outputs["SEGMENTS"][0].tolist()]

    def run(self, pieces: Iterable[np.ndarray]) -> list[Segments]:
        """Send a whole recording; the last piece ends the stream."""
        pieces = list(pieces)
        return [
            self.send(piece, end=index == len(pieces) - 1) for index, piece in enumerate(pieces)
        ]


def open_sessions(server: TritonServer, model: str = "streaming_cif_search") -> int:
    """Streams whose state a model keeps, from the server's metrics."""
    with urlopen(f"{server.metrics_url}", timeout=60) as answer:
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
