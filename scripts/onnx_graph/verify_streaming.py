"""Proves that the prepared streaming graphs say what FunASR's say, in any batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from scripts.onnx_graph import verify
from scripts.onnx_graph.errors import PrepareError
from scripts.onnx_graph.front_end import FrontEnd, front_end_model
from scripts.onnx_graph.speech_like import NUM_MEL_BINS, speech_like_features
from scripts.onnx_graph.streaming import IN_CACHE
from scripts.onnx_graph.verify import TOLERANCE, Outputs

# Of the front end alone: its values reach 100, of which float32 holds seven digits.
FRONT_END_TOLERANCE = 2e-4
_GARBAGE = 30.0  # deviation of noise in padding; log-mel frames and embeddings have a tenth of it
_FAR_POSITION = 100_000  # after 100 minutes of audio
_CACHE_STEPS = (1, 3, 2, 13, 5, 1)  # tokens of successive calls; 13 exceed a cache of 10 columns
_HIDDEN_FRAMES = (20, 20, 15, 20, 6, 12)


@dataclass(frozen=True)
class Window:
    """One window of one stream.

    Attributes:
        fbank: log-mel frames, float32 [F, 80].
        first_position: of the first stacked frame in `fbank`.
        positions: of each encoder row; 0 for a row of zeros.
    """

    fbank: NDArray[np.float32]
    first_position: int
    positions: NDArray[np.int32]


@dataclass(frozen=True)
class Call:
    """One call of the decoder for one stream.

    Attributes:
        hidden: float32 [T, D].
        embeds: float32 [N, D].
        cache: float32 [L, D, K].
    """

    hidden: NDArray[np.float32]
    embeds: NDArray[np.float32]
    cache: NDArray[np.float32]


@dataclass
class Figures:
    """Counts and largest deviations of one comparison of the encoder."""

    rows: int = 0
    max_hidden_difference: float = 0.0
    max_alpha_difference: float = 0.0

    def as_dict(self, prefix: str) -> dict[str, float]:
        """Return the figures with `prefix` before each name."""
        return {f"{prefix}_{name}": value for name, value in vars(self).items()}


class Session:
    """An ONNX model in ONNX Runtime on the CPU, without a graph's own idea of rows.

    Args:
        model: a file, or a serialised model.
        threads: CPU threads of one operator.
        optimise: let ONNX Runtime fuse operators, as when serving.

    Raises:
        PrepareError: ONNX Runtime refuses the model.
    """

    def __init__(self, model: Path | bytes, threads: int, optimise: bool) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        if not optimise:
            options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
        options.log_severity_level = 4
        try:
            self._session = onnxruntime.InferenceSession(
                model if isinstance(model, bytes) else str(model),
                options,
                providers=["CPUExecutionProvider"],
            )
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            raise PrepareError(f"ONNX Runtime cannot load the graph: {error}") from error
        self.input_shapes = {value.name: value.shape for value in self._session.get_inputs()}
        self._types = {value.name: value.type for value in self._session.get_inputs()}
        self._outputs = [value.name for value in self._session.get_outputs()]

    def __call__(self, feed: dict[str, Any]) -> Outputs:
        """Run one batch; what the graph does not take is left out.

        Raises:
            PrepareError: the graph fails on it.
        """
        integers = {"tensor(int32)": np.int32, "tensor(int64)": np.int64}
        typed = {
            name: np.asarray(feed[name], integers.get(element_type, np.float32))
            for name, element_type in self._types.items()
        }
        try:
            return dict(zip(self._outputs, self._session.run(None, typed), strict=True))
        except Exception as error:  # ONNX Runtime's exceptions have no common base but this
            shapes = {name: value.shape for name, value in typed.items()}
            raise PrepareError(f"the graph fails on {shapes}: {error}") from error


def make_windows(front_end: FrontEnd, seed: int = 0) -> list[Window]:
    """Return windows of every sort that streams give, of log-mel frames that look like speech.

    Chunks of [5, 10, 5], [0, 10, 5] and [0, 8, 4] stacked frames; the first windows, with rows of
    zeros before the stream; the last ones, short, padded with zeros or repeating rows; one hours
    into a stream; one row alone.
    """
    rng = np.random.default_rng(seed)
    zeros = [0] * 10
    shapes: list[tuple[int, list[int]]] = [
        (1, [*zeros, *range(1, 11)]),  # first of [5, 10, 5]
        (6, list(range(6, 26))),
        (_FAR_POSITION, list(range(_FAR_POSITION, _FAR_POSITION + 20))),
        (1, [*zeros[:5], *range(1, 11)]),  # first of [0, 10, 5]
        (31, list(range(31, 46))),
        (41, list(range(41, 53))),  # [0, 8, 4]
        (1, [*zeros, *range(1, 4)]),  # a whole stream of three rows
        (11, [*range(11, 28), 0, 0, 0]),  # last but one, padded
        (22, [*range(22, 32), *range(28, 32)]),  # last, with rows repeated
        (51, list(range(51, 57))),
        (51, list(range(51, 66))),
        (7, [7]),
    ]
    return [
        Window(_log_mels(front_end, rng, max(rows) - first + 1), first, np.array(rows, np.int32))
        for first, rows in shapes
    ]


def _log_mels(front_end: FrontEnd, rng: np.random.Generator, stacks: int) -> NDArray[np.float32]:
    """Frames for `stacks` stacked ones, with the mean and deviation that CMVN expects."""
    bins = front_end.num_mel_bins
    if bins > NUM_MEL_BINS:
        raise PrepareError(f"n_mels: expected at most {NUM_MEL_BINS}, got {bins}")
    count = (stacks - 1) * front_end.lfr_shift + front_end.lfr_window
    normalised = speech_like_features(rng, count, window=1, shift=1)[:, :bins]
    frames: NDArray[np.float32] = (
        normalised / front_end.cmvn.scale[:bins] - front_end.cmvn.shift[:bins]
    )
    return frames


def prove_encoder(
    source: Path, work: Path, front_end: FrontEnd, threads: int, optimise: bool
) -> dict[str, float]:
    """Compare a prepared encoder with FunASR's, and each window alone with itself in batches.

    Args:
        source: FunASR's graph.
        work: the prepared one.
        front_end: what was put before it.
        threads: CPU threads.
        optimise: False compares the graphs as written.

    Returns:
        Largest deviations and counts.

    Raises:
        PrepareError: they differ, or a window depends on padding or neighbours.
    """
    windows = make_windows(front_end)
    front = Session(front_end_model(front_end).SerializeToString(), threads, optimise)
    speech = [front(_encoder_feed([window]))["speech"][0] for window in windows]
    front_difference = max(
        verify.largest(rows - front_end(window.fbank, window.first_position, window.positions))
        for rows, window in zip(speech, windows, strict=True)
    )
    if not front_difference <= FRONT_END_TOLERANCE:
        raise PrepareError(f"the front end differs from NumPy's by {front_difference:.2g}")
    # One after the other: two full-size sessions at a time would need twice the memory.
    original = Session(source, threads, optimise)
    expected = [original({"speech": [rows], "speech_lengths": [len(rows)]}) for rows in speech]
    del original
    model = Session(work, threads, optimise)
    against = Figures()
    alone = []
    for number, (wanted, window) in enumerate(zip(expected, windows, strict=True)):
        got = _cut_window(model(_encoder_feed([window])), 0, window)
        alone.append(got)
        wanted_row = {"hidden": wanted["enc"][0], "alphas": wanted["alphas"][0]}
        what = f"window {number} ({len(window.positions)} rows), prepared against original"
        _compare_window(what, wanted_row, got, against)
    independence = _check_windows_independent(model, windows, alone)
    return {
        "front_end_difference": front_difference,
        **against.as_dict("original"),
        **independence.as_dict("independence"),
    }


def _check_windows_independent(
    model: Session, windows: Sequence[Window], alone: Sequence[Outputs]
) -> Figures:
    figures = Figures()
    amounts = ((1, 0.0), (7, _GARBAGE), (30, float("nan")), (3, _GARBAGE))
    for number, window in enumerate(windows):
        extra, padding = amounts[number % len(amounts)]
        outputs = model(_encoder_feed([window], extra, padding))
        what = f"window {number}, {extra} rows of padding"
        _compare_window(what, alone[number], _cut_window(outputs, 0, window), figures)
    rng = np.random.default_rng(1)
    empty = Window(windows[0].fbank[:1], 1, np.zeros(0, np.int32))
    for size, extra, padding in ((len(windows), 0, 0.0), (5, 4, _GARBAGE), (3, 1, float("nan"))):
        order = rng.permutation(len(windows))
        for start in range(0, len(windows), size):
            numbers = order[start : start + size].tolist()
            batch = [*(windows[n] for n in numbers), empty]
            outputs = model(_encoder_feed(batch, extra, padding))
            for index, n in enumerate(numbers):
                what = f"window {n}, in a batch of {len(batch)}"
                got = _cut_window(outputs, index, windows[n])
                _compare_window(what, alone[n], got, figures)
            _cut_window(outputs, len(numbers), empty)
    return figures


def _encoder_feed(windows: Sequence[Window], extra: int = 0, padding: float = 0.0) -> Outputs:
    """Batch windows, padded to the longest and `extra` rows and frames more.

    What lies behind a window's own rows are positions inside, before and behind its slab.
    """
    rng = np.random.default_rng(extra)
    num_rows = max(len(window.positions) for window in windows) + extra
    num_frames = max(len(window.fbank) for window in windows) + extra
    bins = windows[0].fbank.shape[1]
    fbank = rng.standard_normal((len(windows), num_frames, bins)) * padding
    positions = rng.integers(-9, 99, (len(windows), max(num_rows, 1)))
    for index, window in enumerate(windows):
        fbank[index, : len(window.fbank)] = window.fbank
        positions[index, : len(window.positions)] = window.positions
    feed = {
        "fbank": fbank.astype(np.float32),
        "first_position": np.array([[window.first_position] for window in windows], np.int32),
        "positions": positions.astype(np.int32),
        "window_lengths": np.array([[len(window.positions)] for window in windows], np.int32),
    }
    return feed


def _cut_window(outputs: Outputs, index: int, window: Window) -> Outputs:
    """Return what belongs to one window, after a check that the rest is zero."""
    length = len(window.positions)
    for name, value in outputs.items():
        if value[index, length:].any():
            raise PrepareError(f"{name}: expected zeros beyond a window of {length} rows")
    return {name: value[index, :length] for name, value in outputs.items()}


def _compare_window(what: str, expected: Outputs, got: Outputs, figures: Figures) -> None:
    figures.rows += 1
    hidden = verify.largest(expected["hidden"] - got["hidden"])
    alphas = verify.largest(expected["alphas"] - got["alphas"])
    figures.max_hidden_difference = max(figures.max_hidden_difference, hidden)
    figures.max_alpha_difference = max(figures.max_alpha_difference, alphas)
    if not max(hidden, alphas) <= TOLERANCE:
        raise PrepareError(f"{what}: hidden differs by {hidden:.2g}, alphas by {alphas:.2g}")


def prove_decoder(source: Path, work: Path, threads: int, optimise: bool) -> dict[str, float]:
    """Compare a prepared decoder with FunASR's, and each call alone with itself in batches.

    Args:
        source: FunASR's graph.
        work: the prepared one.
        threads: CPU threads.
        optimise: False compares the graphs as written.

    Returns:
        Largest deviations and counts.

    Raises:
        PrepareError: they differ, or a call depends on padding or neighbours.
    """
    original = Session(source, threads, optimise)
    calls, expected = _run_original_decoder(original)
    del original
    model = Session(work, threads, optimise)
    against = verify.Figures()
    alone, cache_difference = [], 0.0
    for number, (call, wanted) in enumerate(zip(calls, expected, strict=True)):
        got = _cut_call(model(_decoder_feed([call])), 0, call)
        alone.append(got)
        what = f"call {number} ({len(call.embeds)} tokens), prepared against original"
        cache_difference = max(cache_difference, _compare_call(what, wanted, got, against))
    verify.check_ties(against)
    independence, batch_cache_difference = _check_calls_independent(model, calls, alone)
    return {
        **against.as_dict("original"),
        "original_max_cache_difference": cache_difference,
        **independence.as_dict("independence"),
        "independence_max_cache_difference": batch_cache_difference,
    }


def _run_original_decoder(original: Session) -> tuple[list[Call], list[Outputs]]:
    """Make the calls of two streams, each with the cache of the one before, and their results."""
    _, dim, columns = original.input_shapes[f"{IN_CACHE}0"]
    num_layers = sum(name.startswith(IN_CACHE) for name in original.input_shapes)
    rng = np.random.default_rng(0)
    calls, results = [], []
    for _ in range(2):
        cache = np.zeros((num_layers, dim, columns), np.float32)
        for num_tokens, num_frames in zip(_CACHE_STEPS, _HIDDEN_FRAMES, strict=True):
            hidden = rng.standard_normal((num_frames, dim)).astype(np.float32)
            # As CIF makes them: each a mean of frames, the weights summing to 1.
            weights = rng.dirichlet(np.full(num_frames, 0.2), num_tokens)
            call = Call(hidden, (weights @ hidden).astype(np.float32), cache)
            feed: dict[str, Any] = {
                "enc": hidden[None],
                "enc_len": [num_frames],
                "acoustic_embeds": call.embeds[None],
                "acoustic_embeds_len": [num_tokens],
            }
            feed |= {f"{IN_CACHE}{i}": layer[None] for i, layer in enumerate(cache)}
            outputs = original(feed)
            cache = np.stack([outputs[f"out_cache_{i}"][0] for i in range(num_layers)])
            cache = cache[:, :, -columns:]
            result = verify.with_token_ids({"logits": outputs["logits"][0]})
            calls.append(call)
            results.append({**result, "next_cache": cache})
    return calls, results


def _check_calls_independent(
    model: Session, calls: Sequence[Call], alone: Sequence[Outputs]
) -> tuple[verify.Figures, float]:
    figures, difference = verify.Figures(), 0.0
    amounts = ((1, 0.0), (6, _GARBAGE), (20, float("nan")), (2, _GARBAGE))
    for number, call in enumerate(calls):
        extra, padding = amounts[number % len(amounts)]
        got = _cut_call(model(_decoder_feed([call], extra, padding)), 0, call)
        what = f"call {number} ({len(call.embeds)} tokens), {extra} columns of padding"
        difference = max(difference, _compare_call(what, alone[number], got, figures))
    rng = np.random.default_rng(1)
    # A stream in which nothing fired keeps its cache to the bit.
    silent = Call(calls[0].hidden, calls[0].embeds[:0], calls[-1].cache)
    for size, extra, padding in ((len(calls), 0, 0.0), (5, 2, _GARBAGE), (3, 1, float("nan"))):
        order = rng.permutation(len(calls))
        for start in range(0, len(calls), size):
            numbers = order[start : start + size].tolist()
            batch = [*(calls[n] for n in numbers), silent]
            outputs = model(_decoder_feed(batch, extra, padding))
            for index, n in enumerate(numbers):
                what = f"call {n} ({len(calls[n].embeds)} tokens), in a batch of {len(batch)}"
                got = _cut_call(outputs, index, calls[n])
                difference = max(difference, _compare_call(what, alone[n], got, figures))
            if not np.array_equal(outputs["next_cache"][-1], silent.cache):
                raise PrepareError("a row without tokens: expected its cache unchanged")
    verify.check_ties(figures)
    return figures, difference


def _decoder_feed(calls: Sequence[Call], extra: int = 0, padding: float = 0.0) -> Outputs:
    """Batch calls, padded to the longest and `extra` frames and tokens more."""
    rng = np.random.default_rng(extra)
    dim = calls[0].hidden.shape[1]

    def stacked(rows: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        width = max(1, *map(len, rows)) + extra
        values = rng.standard_normal((len(rows), width, dim)) * padding
        for target, row in zip(values, rows, strict=True):
            target[: len(row)] = row
        return values.astype(np.float32)

    return {
        "hidden": stacked([call.hidden for call in calls]),
        "hidden_lengths": np.array([[len(call.hidden)] for call in calls], np.int32),
        "acoustic_embeds": stacked([call.embeds for call in calls]),
        "embeds_lengths": np.array([[len(call.embeds)] for call in calls], np.int32),
        "cache": np.stack([call.cache for call in calls]),
    }


def _cut_call(outputs: Outputs, index: int, call: Call) -> Outputs:
    mine = {name: value[index] for name, value in outputs.items()}
    for name in ("token_ids", "token_scores"):
        mine[name] = mine[name][: len(call.embeds)]
    return mine


def _compare_call(what: str, expected: Outputs, got: Outputs, figures: verify.Figures) -> float:
    verify.compare(what, expected, got, figures)
    difference = verify.largest(expected["next_cache"] - got["next_cache"])
    if not difference <= TOLERANCE:
        raise PrepareError(f"{what}: next_cache differs by {difference:.2g}")
    return difference
