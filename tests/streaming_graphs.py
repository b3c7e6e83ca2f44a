"""FunASR's streaming export behind `asr_core.streaming.recogniser`'s interfaces, by windows.

An implementation independent of the prepared graphs: LFR, CMVN and positions in NumPy, the graphs
as exported, every window alone and without padding.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import onnxruntime
from funasr_onnx.utils.frontend import SinusoidalPositionEncoderOnline

from asr_core.features import LFR_SHIFT, LFR_WINDOW, load_cmvn
from asr_core.streaming import Step, StreamingFrontend, StreamingRecogniser, load_streaming_model


class ExportedGraphs:
    """Encoder and decoder of an exported model."""

    def __init__(self, model_dir: Path) -> None:
        self.model = load_streaming_model(model_dir)
        self.windows_encoded = 0
        self._cmvn = load_cmvn(model_dir / "am.mvn")
        self._positions = SinusoidalPositionEncoderOnline()
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self._encoder, self._decoder = (
            onnxruntime.InferenceSession(str(model_dir / name), options)
            for name in ("model.onnx", "decoder.onnx")
        )

    def recogniser(self, max_batch_size: int = 4) -> StreamingRecogniser:
        """Return a recogniser on these graphs."""
        return StreamingRecogniser(self.model, self.encode, self.decode, max_batch_size)

    def encode(self, fbank, first_position, positions, window_lengths):
        """`StreamingEncoder`."""
        results = [
            self._encode_window(*window)
            for window in zip(
                fbank, first_position[:, 0], positions, window_lengths[:, 0], strict=True
            )
        ]
        return tuple(_pad([result[i] for result in results]) for i in (0, 1))

    def _encode_window(self, fbank, first, positions, length):
        self.windows_encoded += 1
        rows = np.zeros((length, LFR_WINDOW * fbank.shape[1]), np.float32)
        for row, position in zip(rows, positions[:length].tolist(), strict=True):
            if position > 0:
                start = (position - first) * LFR_SHIFT
                stacked = self._cmvn(fbank[start : start + LFR_WINDOW].reshape(1, -1))
                scaled = stacked[None] * np.float32(self.model.hidden_size**0.5)
                row[:] = self._positions.forward(scaled, position - 1)[0, 0]
        speech, lengths = rows[None], np.array([length], np.int32)
        hidden, _, alphas = self._encoder.run(None, {"speech": speech, "speech_lengths": lengths})
        return hidden[0], alphas[0]

    def decode(self, hidden, hidden_lengths, acoustic_embeds, embeds_lengths, cached_columns):
        """`StreamingDecoder`."""
        results = [
            self._decode_window(hidden[b, :h], acoustic_embeds[b, :n], cached_columns[b])
            for b, (h, n) in enumerate(zip(hidden_lengths[:, 0], embeds_lengths[:, 0], strict=True))
        ]
        return tuple(_pad([result[i] for result in results]) for i in (0, 1, 2))

    def _decode_window(self, hidden, embeds, cache):
        inputs = {
            "enc": hidden[None],
            "enc_len": np.array([len(hidden)], np.int32),
            "acoustic_embeds": embeds[None],
            "acoustic_embeds_len": np.array([len(embeds)], np.int32),
        }
        layers = range(cache.shape[1])
        inputs |= {f"in_cache_{i}": cache[None, :, i].swapaxes(1, 2) for i in layers}
        logits, ids, *caches = self._decoder.run(None, inputs)
        scores = logits[0].max(-1) - np.log(np.exp(logits[0]).sum(-1))
        # Of a call of more tokens than the cache holds, the graph gives what it keeps.
        added = np.stack([layer[0, :, -len(embeds) :].T for layer in caches], axis=1)
        columns = np.zeros((len(embeds), *cache.shape[1:]), np.float32)
        columns[len(embeds) - len(added) :] = added
        return ids[0].astype(np.int32), scores, columns


def _pad(rows):
    padded = np.zeros((len(rows), max(map(len, rows)), *rows[0].shape[1:]), rows[0].dtype)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded


class Session:
    """One stream, advanced by itself."""

    def __init__(self, recogniser, fbank, chunk_size) -> None:
        self._recogniser = recogniser
        self._frontend = StreamingFrontend(fbank, chunk_size)
        self._stream = recogniser.open(chunk_size)
        self.updates = []

    def send(self, samples, is_final=False):
        """Take samples; returns the update."""
        windows = self._frontend.accept(samples, is_final)
        (update,) = self._recogniser.advance([Step(self._stream, windows, is_final)])
        self.updates.append(update)
        return update
