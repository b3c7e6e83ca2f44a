"""Streaming Paraformer: windows of many streams to text, with encoder and decoder injected."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from asr_contract import ChunkSize
from asr_contract.tensors import HOTWORDS_LEFT_OUT, IS_FINAL, TEXT, TRANSCRIPTS
from asr_contract.text_files import read_json
from asr_core.config import load_config
from asr_core.decoding import Decoder, PositionSearch, repeat_left_out
from asr_core.features import LFR_FRAME_MS, LFR_SHIFT, LFR_WINDOW
from asr_core.paraformer import BLANK, END, SPECIAL_PIECES, CifIntegrator, Fires, load_pieces
from asr_core.streaming.frontend import PADDING, Windows
from asr_core.streaming.graphs import Columns, Float, Int, StreamingDecoder, StreamingEncoder
from asr_core.streaming.text import StreamingText
from asr_core.text import DecodedWord, pack_words

Item = TypeVar("Item")
Number = TypeVar("Number", np.float32, np.int32)

CACHE_FILE = "decoder_cache.json"
"""Beside `config.yaml` where the installed decoder's cache is not float32: {"dtype": "float16"}."""


@dataclass(frozen=True)
class StreamingModel:
    """What a streaming Paraformer consists of besides its graphs.

    Attributes:
        pieces: the vocabulary, id to piece.
        hidden_size: D, width of encoder and decoder.
        cache_shape: [K, layers, D] of the decoder's cache.
        cache_dtype: "float32" or "float16".
        threshold, tail_threshold: of the CIF integrator.
    """

    pieces: Sequence[str]
    hidden_size: int
    cache_shape: tuple[int, int, int]
    cache_dtype: str
    threshold: float
    tail_threshold: float


def load_streaming_model(model_dir: Path) -> StreamingModel:
    """Read `config.yaml`, `tokens.json` and, where there is one, `CACHE_FILE`.

    Raises:
        FileNotFoundError: a file is missing.
        ValueError: one is not what it should be.
    """
    config = load_config(model_dir)
    hidden_size = int(config["encoder_conf"]["output_size"])
    cache_file = model_dir / CACHE_FILE
    cache_dtype = read_json(cache_file)["dtype"] if cache_file.is_file() else "float32"
    decoder, predictor = config["decoder_conf"], config["predictor_conf"]
    return StreamingModel(
        pieces=load_pieces(model_dir),
        hidden_size=hidden_size,
        cache_shape=(int(decoder["kernel_size"]) - 1, int(decoder["num_blocks"]), hidden_size),
        cache_dtype=cache_dtype,
        threshold=float(predictor["threshold"]),
        tail_threshold=float(predictor["tail_threshold"]),
    )


class Stream:
    """State of one stream between its requests."""

    def __init__(
        self,
        model: StreamingModel,
        chunk_size: ChunkSize,
        search: PositionSearch | None = None,
        left_out: Sequence[str] = (),
    ) -> None:
        self.chunk_size = chunk_size
        self.search = search
        self.open_spans: list[tuple[int, int]] = []  # of the tokens that the search may change
        self.left_out = left_out  # what is wrong with hotwords that are not used
        self.cif = CifIntegrator(model.hidden_size, model.threshold, model.tail_threshold)
        self.cache = np.zeros(model.cache_shape, model.cache_dtype)
        self.transcript = StreamingText()
        self.last_position = 0

    def remember(self, columns: Columns) -> None:
        """Let the decoder's cache end with the columns [n, layers, D] of the last tokens."""
        size = len(self.cache)
        self.cache = np.concatenate([self.cache[len(columns) :], columns[-size:]])

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
        left_out: what is wrong with each of the stream's hotwords that is not used.
    """

    new_text: str
    text: str
    words: list[DecodedWord]
    is_final: bool
    left_out: Sequence[str] = ()

    def outputs(self) -> dict[str, NDArray[Any]]:
        """Return the outputs of one row: those of `WordTensors`, and what names them here.

        TRANSCRIPTS is [1], as FunASR's model answers; the others have [1, …].
        """
        return {
            TRANSCRIPTS: np.array([self.new_text], np.object_),
            TEXT: np.array([[self.text]], np.object_),
            **pack_words([self.words]).outputs(),
            IS_FINAL: np.array([[self.is_final]]),
            HOTWORDS_LEFT_OUT: repeat_left_out(self.left_out, 1),
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
        words: searches for words among the candidates; None takes the best of each token.
    """

    def __init__(
        self,
        model: StreamingModel,
        encoder: StreamingEncoder,
        decoder: StreamingDecoder,
        max_batch_size: int,
        words: Decoder | None = None,
    ) -> None:
        self._model = model
        self._encoder = encoder
        self._decoder = decoder
        self._max_batch_size = max_batch_size
        self._words = words

    def open(self, chunk_size: ChunkSize, hotwords: str = "") -> Stream:
        """Begin a stream.

        Args:
            chunk_size: how it is cut.
            hotwords: words to expect, as `parse_hotwords` reads them.

        Raises:
            ValueError: the hotwords cannot be used.
        """
        if self._words is None:
            return Stream(self._model, chunk_size)
        search, left_out = self._words.stream_search(hotwords), self._words.left_out(hotwords)
        return Stream(self._model, chunk_size, search, left_out)

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
            stream = step.stream
            tentative: Sequence[DecodedWord] = ()
            if stream.search is not None:
                new, tentative = self._searched(stream, stream.search, step.is_final)
            new_text, words = stream.transcript.accept(new, step.is_final, tentative)
            updates.append(
                Update(new_text, stream.transcript.text, words, step.is_final, stream.left_out)
            )
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
            ids, scores, columns, *candidates = self._decoder(
                hidden=_pad([window.hidden for _, window, _ in batch]),
                hidden_lengths=_lengths([window.hidden for _, window, _ in batch]),
                acoustic_embeds=_pad([fires.acoustic_embeds for *_, fires in batch]),
                embeds_lengths=_lengths([fires.acoustic_embeds for *_, fires in batch]),
                cached_columns=np.stack([steps[index].stream.cache for index, *_ in batch]),
            )
            for row, (index, _, fires) in enumerate(batch):
                stream, count = steps[index].stream, len(fires.spans)
                stream.remember(columns[row, :count])
                if stream.search is not None:
                    stream.search.accept(*(several[row, :count] for several in candidates))
                    stream.open_spans += fires.spans
                    continue
                tokens = zip(ids[row, :count].tolist(), scores[row, :count].tolist(), strict=True)
                pieces[index] += self._pieces(tokens, fires.spans)

    def _searched(
        self, stream: Stream, search: PositionSearch, is_final: bool
    ) -> tuple[list[DecodedWord], list[DecodedWord]]:
        """Return the pieces that became settled, and what follows them for now."""
        new, still_open = search.take(is_final)
        settled, behind = stream.open_spans[: len(new)], stream.open_spans[len(new) :]
        stream.open_spans = behind
        return [*self._pieces(new, settled)], [*self._pieces(still_open, behind)]

    def _pieces(
        self, tokens: Iterable[tuple[int, float]], spans: Sequence[tuple[int, int]]
    ) -> Iterator[DecodedWord]:
        """Yield the pieces that tokens stand for; a row's time is that of its 60 ms."""
        for (token, score), (onset, fired) in zip(tokens, spans, strict=True):
            piece = self._model.pieces[token]
            if token not in (BLANK, END) and piece not in SPECIAL_PIECES:
                start_ms, end_ms = max(onset - 1, 0) * LFR_FRAME_MS, fired * LFR_FRAME_MS
                yield DecodedWord(piece, start_ms, end_ms, score)


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
