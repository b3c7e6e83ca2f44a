"""Proves that a prepared streaming encoder says what FunASR's says, in any batch."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_core.features import NUM_MEL_BINS
from asr_server.graphs.comparison import TOLERANCE, largest
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.figures import Figures
from asr_server.graphs.front_end import FrontEnd, front_end_model
from asr_server.graphs.proof_batches import GARBAGE, shuffled_batches
from asr_server.graphs.session import Outputs, Session
from asr_server.graphs.speech_like import speech_like_features

# Of the front end alone: its values reach 100, of which float32 holds seven digits.
FRONT_END_TOLERANCE = 2e-4
_FAR_POSITION = 100_000  # after 100 minutes of audio


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


@dataclass
class WindowFigures(Figures):
    """Largest deviations of windows."""

    max_hidden_difference: float = 0.0
    max_alpha_difference: float = 0.0


def make_windows(front_end: FrontEnd) -> list[Window]:
    """Return windows of every sort that streams give, of log-mel frames that look like speech.

    Chunks of [5, 10, 5], [0, 10, 5] and [0, 8, 4] stacked frames; the first windows, with rows of
    zeros before the stream; the last ones, short, padded with zeros or repeating rows; one hours
    into a stream; one row alone.
    """
    rng = np.random.default_rng(0)
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
    """Make frames for `stacks` stacked ones, with the mean and deviation that CMVN expects."""
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
        largest(rows - front_end(window.fbank, window.first_position, window.positions))
        for rows, window in zip(speech, windows, strict=True)
    )
    if not front_difference <= FRONT_END_TOLERANCE:
        raise PrepareError(f"the front end differs from NumPy's by {front_difference:.2g}")
    # One after the other: two full-size sessions at a time would need twice the memory.
    original = Session(source, threads, optimise)
    expected = [original({"speech": [rows], "speech_lengths": [len(rows)]}) for rows in speech]
    del original
    model = Session(work, threads, optimise)
    against = WindowFigures()
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
) -> WindowFigures:
    figures = WindowFigures()
    amounts = ((1, 0.0), (7, GARBAGE), (30, float("nan")), (3, GARBAGE))
    for number, window in enumerate(windows):
        extra, padding = amounts[number % len(amounts)]
        outputs = model(_encoder_feed([window], extra, padding))
        what = f"window {number}, {extra} rows of padding"
        _compare_window(what, alone[number], _cut_window(outputs, 0, window), figures)
    empty = Window(windows[0].fbank[:1], 1, np.zeros(0, np.int32))
    for numbers, extra, padding in shuffled_batches(len(windows), 4):
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


def _compare_window(what: str, expected: Outputs, got: Outputs, figures: WindowFigures) -> None:
    figures.rows += 1
    hidden = largest(expected["hidden"] - got["hidden"])
    alphas = largest(expected["alphas"] - got["alphas"])
    figures.max_hidden_difference = max(figures.max_hidden_difference, hidden)
    figures.max_alpha_difference = max(figures.max_alpha_difference, alphas)
    if not max(hidden, alphas) <= TOLERANCE:
        raise PrepareError(f"{what}: hidden differs by {hidden:.2g}, alphas by {alphas:.2g}")
