"""Streaming Paraformer: windows of many streams to text, with encoder and decoder injected."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from asr_contract import ChunkSize
from asr_contract.tensors import IS_FINAL, TEXT, TRANSCRIPTS
from asr_core.config import load_config
from asr_core.features import FRAME_SHIFT_MS, LFR_SHIFT, LFR_WINDOW
from asr_core.paraformer import BLANK, END, SPECIAL_PIECES, CifIntegrator, Fires, load_pieces
from asr_core.streaming.frontend import PADDING, Windows
from asr_core.streaming.graphs import Float, Int, StreamingDecoder, StreamingEncoder
from asr_core.streaming.text import StreamingText
from asr_core.text import DecodedWord, pack_words

Item = TypeVar("Item")
Number = TypeVar("Number", np.float32, np.int32)

ROW_MS = LFR_SHIFT * FRAME_SHIFT_MS  # one encoder row


@dataclass(frozen=True)
class StreamingModel:
    """What a streaming Paraformer consists of besides its graphs.

    Attributes:
        pieces: the vocabulary, id to piece.
        hidden_size: D, width of encoder and decoder.
        cache_shape: [layers, D, K] of the decoder's cache.
        threshold, tail_threshold: of the CIF integrator.
    """

    pieces: Sequence[str]
    hidden_size: int
    cache_shape: tuple[int, int, int]
    threshold: float
    tail_threshold: float


def load_streaming_model(model_dir: Path) -> StreamingModel:
    """Read `config.yaml` and `tokens.json`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one is not what it should be.
    """
    config = load_config(model_dir)
    hidden_size = int(config["encoder_conf"]["output_size"])
    decoder, predictor = config["decoder_conf"], config["predictor_conf"]
    return StreamingModel(
        pieces=load_pieces(model_dir),
        hidden_size=hidden_size,
        cache_shape=(int(decoder["num_blocks"]), hidden_size, int(decoder["kernel_size"]) - 1),
        threshold=float(predictor["threshold"]),
        tail_threshold=float(predictor["tail_threshold"]),
    )


class Stream:
    """State of one stream between its requests."""

    def __init__(self, model: StreamingModel, chunk_size: ChunkSize) -> None:
        self.chunk_size = chunk_size
        self.cif = CifIntegrator(model.hidden_size, model.threshold, model.tail_threshold)
        self.cache = np.zeros(model.cache_shape, np.float32)
        self.transcript = StreamingText()
        self.last_position = 0

    def fire(self, window: _Window) -> Fires:
        """Integrate the rows that count of one encoded window."""
        counted = slice(self.chunk_size.left, self.chunk_size.left + self.chunk_size.current)
        positions = window.positions[counted].tolist()
        self.last_position = max(self.last_position, *positions)
        fires = self.cif.accept(window.hidden[counted], window.alphas[counted], positions)
        if not window.is_last:
            return fires
        tail = self.cif.finish(self.last_position)
        embeds = np.concatenate([fires.acoustic_embeds, tail.acoustic_embeds])
        return Fires(embeds, fires.spans + tail.spans)


@dataclass
class Step:
    """One request: a stream and the windows that became complete with it."""

    stream: Stream
    windows: Windows
    is_final: bool


@dataclass(frozen=True)
class Update:
    """What a request adds to its stream's text.

    Attributes:
        new_text: continues what was given out before; all of them joined are the final text.
        text: the whole text so far, with what may still change.
        words: the words of `new_text`, times in ms from the start of the stream.
        is_final: nothing follows.
    """

    new_text: str
    text: str
    words: list[DecodedWord]
    is_final: bool

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Return the outputs of one row: those of `WordTensors`, TRANSCRIPTS, TEXT and IS_FINAL.

        TRANSCRIPTS is [1], as FunASR's model answers; the others have [1, …].
        """
        return {
            TRANSCRIPTS: np.array([self.new_text], np.object_),
            TEXT: np.array([[self.text]], np.object_),
            **pack_words([self.words]).outputs(),
            IS_FINAL: np.array([[self.is_final]]),
        }


@dataclass
class _Window:
    """One window of one stream on its way through the encoder."""

    fbank: Float
    first_position: int
    positions: Int
    is_last: bool
    hidden: Float
    alphas: Float


class StreamingRecogniser:
    """Advances many streams at once, so that encoder and decoder work in batches.

    Args:
        max_batch_size: rows that the graphs take at a time.
    """

    def __init__(
        self,
        model: StreamingModel,
        encoder: StreamingEncoder,
        decoder: StreamingDecoder,
        max_batch_size: int,
    ) -> None:
        self._model = model
        self._encoder = encoder
        self._decoder = decoder
        self._max_batch_size = max_batch_size

    def open(self, chunk_size: ChunkSize) -> Stream:
        """Begin a stream."""
        return Stream(self._model, chunk_size)

    def advance(self, steps: Sequence[Step]) -> list[Update]:
        """Take one step of each of several streams; the streams' order does not matter."""
        windows = [_split(step) for step in steps]
        self._encode([window for row in windows for window in row])
        pieces: list[list[DecodedWord]] = [[] for _ in steps]
        for turn in range(max(map(len, windows), default=0)):
            rows = [index for index, row in enumerate(windows) if turn < len(row)]
            self._decode_turn(steps, rows, [windows[index][turn] for index in rows], pieces)
        updates = []
        for step, new in zip(steps, pieces, strict=True):
            transcript = step.stream.transcript
            new_text, words = transcript.accept(new, step.is_final)
            updates.append(Update(new_text, transcript.text, words, step.is_final))
        return updates

    def _encode(self, windows: Sequence[_Window]) -> None:
        """Run the encoder over all windows, those of one length together."""
        ordered = sorted(windows, key=lambda window: len(window.positions))
        for batch in _batches(ordered, self._max_batch_size):
            lengths = _lengths([window.positions for window in batch])
            hidden, alphas = self._encoder(
                fbank=_pad([window.fbank for window in batch]),
                first_position=np.array([[window.first_position] for window in batch], np.int32),
                positions=_pad([window.positions for window in batch]),
                window_lengths=lengths,
            )
            for index, (window, length) in enumerate(zip(batch, lengths[:, 0], strict=True)):
                window.hidden, window.alphas = hidden[index, :length], alphas[index, :length]

    def _decode_turn(
        self,
        steps: Sequence[Step],
        rows: Sequence[int],
        windows: Sequence[_Window],
        pieces: list[list[DecodedWord]],
    ) -> None:
        """Fire and decode one window of each of some streams; adds to `pieces`."""
        work = []
        for index, window in zip(rows, windows, strict=True):
            fires = steps[index].stream.fire(window)
            if fires.spans:
                work.append((index, window, fires))
        for batch in _batches(work, self._max_batch_size):
            ids, scores, caches = self._decoder(
                hidden=_pad([window.hidden for _, window, _ in batch]),
                hidden_lengths=_lengths([window.hidden for _, window, _ in batch]),
                acoustic_embeds=_pad([fires.acoustic_embeds for *_, fires in batch]),
                embeds_lengths=_lengths([fires.acoustic_embeds for *_, fires in batch]),
                cache=np.stack([steps[index].stream.cache for index, *_ in batch]),
            )
            for row, (index, _, fires) in enumerate(batch):
                steps[index].stream.cache = caches[row].copy()
                count = len(fires.spans)
                pieces[index] += self._words(ids[row, :count], scores[row, :count], fires.spans)

    def _words(
        self, ids: Int, scores: Float, spans: Sequence[tuple[int, int]]
    ) -> Iterator[DecodedWord]:
        """Yield the pieces that the ids stand for; a row's time is that of its 60 ms."""
        for token, score, (onset, fired) in zip(ids.tolist(), scores.tolist(), spans, strict=True):
            piece = self._model.pieces[token]
            if token not in (BLANK, END) and piece not in SPECIAL_PIECES:
                yield DecodedWord(piece, max(onset - 1, 0) * ROW_MS, fired * ROW_MS, score)


def _split(step: Step) -> list[_Window]:
    """Separate the windows of a step; each gets only the frames it needs."""
    windows = []
    nothing = np.empty(0, np.float32)
    for index, padded in enumerate(step.windows.positions):
        positions = padded[padded != PADDING]
        is_last = step.is_final and index == len(step.windows) - 1
        windows.append(
            _Window(*_slab(step.windows, positions), positions, is_last, nothing, nothing)
        )
    return windows


def _slab(windows: Windows, positions: Int) -> tuple[Float, int]:
    """Return the frames from a window's first real row to its last, and the first's position."""
    first = max(int(positions[positions > 0].min()), windows.first_position)
    begin = (first - windows.first_position) * LFR_SHIFT
    end = (int(positions.max()) - windows.first_position) * LFR_SHIFT + LFR_WINDOW
    return windows.fbank[begin:end], first


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _pad(rows: Sequence[NDArray[Number]]) -> NDArray[Number]:
    """Stack arrays of different first dimension, zeros behind the shorter ones."""
    length = max(map(len, rows))
    padded = np.zeros((len(rows), length, *rows[0].shape[1:]), rows[0].dtype)
    for target, row in zip(padded, rows, strict=True):
        target[: len(row)] = row
    return padded


def _lengths(rows: Sequence[NDArray[Any]]) -> Int:
    return np.array([[len(row)] for row in rows], np.int32)
