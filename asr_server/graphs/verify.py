"""Proves that a prepared graph says what the original says, whatever it is batched with."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from asr_contract import LANGUAGE_IDS, TEXT_NORM_IDS, text_norm_id
from asr_core.features import FEATURE_DIM, Features
from asr_server.graphs.comparison import TokenFigures, check_ties, compare
from asr_server.graphs.errors import PrepareError
from asr_server.graphs.packs import PackLimits
from asr_server.graphs.proof_batches import GARBAGE, shuffled_batches
from asr_server.graphs.session import Outputs, Session
from asr_server.graphs.speech_like import speech_like_features
from asr_server.graphs.token_ids import TOKEN_OUTPUTS

# Against the original, whose kernels are others: the full-size Paraformer differs by 1.6e-4 from
# itself where ONNX Runtime's optimiser is off.
ORIGINAL_TOLERANCE = 5e-4
_LANGUAGES = [number for word, number in LANGUAGE_IDS.items() if word != "nospeech"]
_TEXT_NORMS = [text_norm_id(itn) for itn in (False, True)]
_HOTWORDS = (60, 1, 75, 12)  # of successive rows; SeACo attends to 50 at a time


@dataclass(frozen=True)
class Row:
    """One utterance: features [T, 560], SenseVoice's prompts, and hotwords [W, D]."""

    features: Features
    language: int = LANGUAGE_IDS["auto"]
    textnorm: int = TEXT_NORM_IDS["woitn"]
    bias_embed: NDArray[np.float32] = field(default_factory=lambda: np.zeros((1, 1), np.float32))


class Model:
    """An offline recogniser in ONNX Runtime on the CPU, run on rows.

    Args:
        path: the file.
        threads: CPU threads of one operator.
        optimise: let ONNX Runtime fuse operators, as when serving.
        limits: of rows that are computed at once, in the place of the file's own.

    Raises:
        PrepareError: ONNX Runtime refuses the file.
    """

    def __init__(
        self,
        path: Path,
        threads: int = 2,
        optimise: bool = True,
        limits: PackLimits | None = None,
    ) -> None:
        self._session = Session(path, threads, optimise, limits)
        self.output_shapes = self._session.output_shapes
        bias_embed = self._session.input_shapes.get("bias_embed", [1])
        self.hotword_dim = bias_embed[-1] if isinstance(bias_embed[-1], int) else 1

    def __call__(
        self,
        rows: Sequence[Row],
        num_frames: int | Sequence[int] | None = None,
        padding: float = 0.0,
    ) -> list[Outputs]:
        """Run one batch and return each row's outputs, cut to what belongs to the row.

        Args:
            rows: the batch.
            num_frames: frames to pad all rows to, at least 1, or, for a prepared graph, each row
                by itself; by default the longest row's.
            padding: deviation of the noise after each row's end; NaN fills it with NaN.
        """
        if num_frames is None:
            num_frames = max(1, *(len(row.features) for row in rows))
        widths = [num_frames] * len(rows) if isinstance(num_frames, int) else list(num_frames)
        rng = np.random.default_rng(max(widths))
        padded = [rng.standard_normal((width, FEATURE_DIM)) * padding for width in widths]
        for target, row in zip(padded, rows, strict=True):
            target[: len(row.features)] = row.features
        inputs = {
            "speech": padded,
            "speech_lengths": [len(row.features) for row in rows],
            "language": [row.language for row in rows],
            "textnorm": [row.textnorm for row in rows],
            "bias_embed": [row.bias_embed for row in rows],
        }
        outputs = self._session(inputs)
        return [_cut(outputs, index, row, max(widths)) for index, row in enumerate(rows)]


def _cut(outputs: Outputs, index: int, row: Row, num_frames: int) -> Outputs:
    mine = {name: value[index] for name, value in outputs.items()}
    count = int(mine["token_num"] if "token_num" in mine else mine["encoder_out_lens"])
    for name in mine.keys() & {*TOKEN_OUTPUTS, "logits", "ctc_logits"}:
        mine[name] = mine[name][:count]
    for name in mine.keys() & {"us_alphas", "us_cif_peak"}:
        steps_per_frame = len(mine[name]) // num_frames
        mine[name] = mine[name][: len(row.features) * steps_per_frame]
    return mine


def make_rows(recordings: Sequence[Features], hotword_dim: int) -> list[Row]:
    """Return the rows of the proof: recordings, made speech, random numbers, very short ones.

    Each has hotwords of its own, some more than SeACo attends to at a time.
    """
    rng = np.random.default_rng(0)
    features = list(recordings)
    features += [speech_like_features(rng, length) for length in (83, 57, 40, 24)]
    features += [
        rng.standard_normal((length, FEATURE_DIM)).astype(np.float32) for length in (61, 30)
    ]
    features += [speech_like_features(rng, length) for length in (5, 2, 1)]
    return [
        Row(
            row,
            _LANGUAGES[i % len(_LANGUAGES)],
            _TEXT_NORMS[i % len(_TEXT_NORMS)],
            rng.uniform(-1, 1, (_HOTWORDS[i % len(_HOTWORDS)], hotword_dim)).astype(np.float32),
        )
        for i, row in enumerate(features)
    ]


def limits_for(rows: Sequence[Row]) -> PackLimits:
    """Return limits by which a batch is several packs, and rows of all lengths meet in them."""
    return PackLimits(2 * max(len(row.features) for row in rows), 0)


def run_original(
    path: Path, rows: Sequence[Row], threads: int, optimise: bool = True
) -> list[Outputs | None]:
    """Return what the original gives for each row alone: ids and scores in place of logits.

    None where it fails, which some exports do on rows without tokens.
    """
    model = Model(path, threads, optimise)
    results: list[Outputs | None] = []
    for row in rows:
        try:
            results.append(with_token_ids(model([row])[0]))
        except Exception:  # ONNX Runtime's exceptions have no common base but this
            results.append(None)
    return results


def with_token_ids(outputs: Outputs) -> Outputs:
    """Put `log_probs`, `token_ids` and `token_scores` in the place of the logits."""
    name = "logits" if "logits" in outputs else "ctc_logits"
    logits = outputs.pop(name).astype(np.float64)
    if logits.size:
        shifted = logits - logits.max(axis=-1, keepdims=True)
        log_probs = shifted - np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    else:
        log_probs = logits
    outputs["log_probs"] = log_probs
    outputs["token_ids"] = log_probs.argmax(axis=-1)
    outputs["token_scores"] = log_probs.max(axis=-1, initial=-np.inf)
    return outputs


def compare_with_original(
    expected: Sequence[Outputs | None],
    model: Model,
    rows: Sequence[Row],
) -> tuple[list[Outputs], TokenFigures]:
    """Compare each row alone with the original, and return what the prepared graph gave.

    Args:
        expected: of the original, None for a row on which it failed.
        model: the prepared graph.
        rows: what `expected` belongs to.

    Raises:
        PrepareError: they differ, or the original failed on every row.
    """
    figures = TokenFigures()
    alone = []
    for number, (wanted, row) in enumerate(zip(expected, rows, strict=True)):
        got = _run(model, [row], max(len(row.features), 1), 0.0)[0]
        alone.append(got)
        if wanted is not None:
            what = f"row {number} ({len(row.features)} frames), prepared graph against original"
            compare(what, wanted, got, figures, ORIGINAL_TOLERANCE)
    if figures.rows == 0:
        raise PrepareError("the original graph fails on every row of the proof")
    check_ties(figures)
    return alone, figures


def check_independence(
    model: Model, rows: Sequence[Row], alone: Sequence[Outputs], with_empty: bool
) -> TokenFigures:
    """Check that padding and neighbours change no row.

    Each row is run padded alone (zeros, noise and NaN, 1 to 100 frames), then all are batched in
    shuffled orders with longer and shorter neighbours, in turns padded to one length and each to a
    length of its own.

    Args:
        model: the prepared graph.
        rows: the rows.
        alone: what it gives for each alone, without padding.
        with_empty: put a row without any frame into every batch.

    Raises:
        PrepareError: a result depends on padding or neighbours, or a batch fails.
    """
    figures = TokenFigures()
    amounts = ((1, 0.0), (17, GARBAGE), (100, float("nan")), (40, 0.0))
    for number, row in enumerate(rows):
        extra, padding = amounts[number % len(amounts)]
        got = _run(model, [row], len(row.features) + extra, padding)[0]
        what = f"row {number} ({len(row.features)} frames), {extra} frames of padding"
        compare(what, alone[number], got, figures)
    empty = replace(rows[0], features=np.zeros((0, FEATURE_DIM), np.float32))
    for turn, (numbers, extra, padding) in enumerate(shuffled_batches(len(rows), 9)):
        batch = [*(rows[n] for n in numbers), *[empty] * with_empty]
        widths = [max(1, len(row.features)) for row in batch]
        own = [width + extra * (index % 2) for index, width in enumerate(widths)]
        results = _run(model, batch, own if turn % 2 else max(widths) + extra, padding)
        for n, got in zip(numbers, results, strict=False):
            what = f"row {n} ({len(rows[n].features)} frames), in a batch of {len(batch)}"
            compare(what, alone[n], got, figures)
        if with_empty:
            _check_empty(results[-1])
    if with_empty:
        for result in _run(model, [empty, empty], 3, 0.0):
            _check_empty(result)
    check_ties(figures)
    return figures


def count_changed_ids(expected: Sequence[Outputs | None], got: Sequence[Outputs | None]) -> int:
    """Count token ids that differ, missing and additional ones included; no judgement."""
    changed = 0
    for first, second in zip(expected, got, strict=True):
        if first is None or second is None:
            continue
        ids, others = first["token_ids"], second["token_ids"]
        common = min(len(ids), len(others))
        changed += int((ids[:common] != others[:common]).sum()) + abs(len(ids) - len(others))
    return changed


def check_output_shapes(model: Model) -> None:
    """Raise `PrepareError` unless ONNX Runtime sees only symbolic dimensions in the outputs.

    Triton's C++ backend compares them exactly with the `-1` of `config.pbtxt`.
    """
    for name, shape in model.output_shapes.items():
        if not shape or any(isinstance(dim, int) for dim in shape):
            raise PrepareError(f"output {name}: expected dynamic dimensions, got {shape}")


def _run(
    model: Model, rows: list[Row], num_frames: int | Sequence[int], padding: float
) -> list[Outputs]:
    try:
        return model(rows, num_frames, padding)
    except Exception as error:  # ONNX Runtime's exceptions have no common base but this
        lengths = [len(row.features) for row in rows]
        raise PrepareError(
            f"the prepared graph fails on rows of {lengths} frames padded to {num_frames}: {error}"
        ) from error


def _check_empty(outputs: Outputs) -> None:
    if outputs.get("token_num", 0) != 0:
        raise PrepareError(f"a row without frames: expected 0 tokens, got {outputs['token_num']}")
    for name, value in outputs.items():
        if np.issubdtype(value.dtype, np.floating) and not np.isfinite(value).all():
            raise PrepareError(f"a row without frames: {name} is not finite")
