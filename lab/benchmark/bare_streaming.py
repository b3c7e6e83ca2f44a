"""The limit of streaming: encoder and decoder sessions alone, fed with batches of windows."""

from __future__ import annotations

import statistics
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from asr_contract import DEFAULT_CHUNK_SIZE, SAMPLE_RATE
from asr_core.features import LFR_FRAME_MS, make_streaming_fbank
from asr_core.streaming import StreamingFrontend, StreamingModel
from lab.benchmark.workload import Recording

CHUNK_S = DEFAULT_CHUNK_SIZE.current * LFR_FRAME_MS / 1000
TOKENS_PER_CHUNK = 3  # Mandarin speech: about five characters a second


@dataclass(frozen=True)
class BareCost:
    """One step of a batch of streams: a window each through the encoder, then the decoder.

    Attributes:
        threads: of each session.
        calls: such steps at a time.
        batch: streams in each.
        encoder_s, decoder_s: median wall times.
    """

    threads: int
    calls: int
    batch: int
    encoder_s: float
    decoder_s: float

    @property
    def streams(self) -> float:
        """Real-time streams that this cost allows."""
        return self.calls * self.batch * CHUNK_S / (self.encoder_s + self.decoder_s)


class BareStreaming:
    """Sessions on the prepared graphs, the ones the server runs."""

    def __init__(self, encoder: Path, decoder: Path, model: StreamingModel, threads: int) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        # Else the decoder's idle threads take the cores from the encoder's.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        self._threads = threads
        self._model = model
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
            for path in (encoder, decoder)
        )

    def measure(
        self, recordings: Sequence[Recording], batch: int, calls: int, rounds: int
    ) -> BareCost:
        """Time `rounds` steps of a batch, `calls` of them at a time."""
        window = self._windows(recordings, batch)
        hidden, _ = self._encoder.run(["hidden", "alphas"], window)
        rows = hidden.shape[1]
        embeds = hidden[:, -TOKENS_PER_CHUNK:]
        tokens = {
            "hidden": hidden,
            "hidden_lengths": np.full((batch, 1), rows, np.int32),
            "acoustic_embeds": embeds,
            "embeds_lengths": np.full((batch, 1), TOKENS_PER_CHUNK, np.int32),
            "cached_columns": np.zeros((batch, *self._model.cache_shape), self._model.cache_dtype),
        }
        self._decoder.run(None, tokens)

        def step(_: int) -> tuple[float, float]:
            begun = time.perf_counter()
            self._encoder.run(None, window)
            encoded = time.perf_counter()
            self._decoder.run(None, tokens)
            return encoded - begun, time.perf_counter() - encoded

        with ThreadPoolExecutor(calls) as pool:
            times = list(pool.map(step, range(calls * rounds)))
        encoder_s, decoder_s = (statistics.median(part) for part in zip(*times, strict=True))
        return BareCost(self._threads, calls, batch, encoder_s, decoder_s)

    @staticmethod
    def _windows(recordings: Sequence[Recording], batch: int) -> dict[str, NDArray[Any]]:
        """Full windows from the middle of a stream."""
        frontend = StreamingFrontend(make_streaming_fbank(), DEFAULT_CHUNK_SIZE)
        audio = np.concatenate(recordings)
        skip = 2 * int(CHUNK_S * SAMPLE_RATE)
        frontend.accept(audio[:skip], is_final=False)
        cut = frontend.accept(audio[skip : 2 * skip], is_final=False)
        rows = cut.positions[-1]
        first = int(rows[0])
        fbank = cut.fbank[(first - cut.first_position) * 6 :]
        return {
            "fbank": np.repeat(fbank[None], batch, axis=0),
            "first_position": np.full((batch, 1), first, np.int32),
            "positions": np.repeat(rows[None], batch, axis=0),
            "window_lengths": np.full((batch, 1), len(rows), np.int32),
        }
