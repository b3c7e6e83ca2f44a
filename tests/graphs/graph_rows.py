"""A graph that is run on rows of features, and small exports to run."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from asr_server.graphs.packs import PackLimits
from asr_server.graphs.ragged import end_to_end
from asr_server.graphs.session import override_limits
from asr_server.graphs.token_ids import TOKEN_OUTPUTS

MODELS = Path(__file__).parents[1] / "data" / "random_models"
FP32_NAMES = [
    "paraformer-tiny-seed0",
    "paraformer-small-seed1",
    "bicif_paraformer-tiny-seed0",
    "bicif_paraformer-small-seed1",
    "contextual_paraformer-tiny-seed0",
    "contextual_paraformer-small-seed1",
    "seaco_paraformer-tiny-seed0",
    "seaco_paraformer-small-seed1",
    "sensevoice-tiny-seed0",
    "sensevoice-small-seed1",
]
TOLERANCE = 1e-4
Outputs = dict[str, NDArray[Any]]


class Session:
    """Runs rows of features as one batch and gives each row's own outputs."""

    def __init__(
        self,
        path: Path,
        optimise: bool = True,
        num_hotwords: int | dict[int, int] = 60,
        limits: PackLimits | None = None,
    ) -> None:
        """Open a file; hotwords are as many for each row, or by the frames of a row."""
        self._num_hotwords = num_hotwords
        self._hotword_dim = 48 if "-small-" in str(path) else 32
        changed_ns = path.stat().st_mtime_ns
        self.session, self._kept = _open(path, changed_ns, optimise, limits)

    def raw(self, rows: list[NDArray[np.float32]], widths: list[int], fill: float) -> Outputs:
        """Run rows, each padded to a width of its own, which an original graph cannot take."""
        speech = [np.full((width, 560), fill, np.float32) for width in widths]
        for target, row in zip(speech, rows, strict=True):
            target[: len(row)] = row
        hotwords = [self._bias_embed(len(row)) for row in rows]
        if any(value.name == "speech_shape" for value in self.session.get_inputs()):
            given = {**end_to_end("speech", speech), **end_to_end("bias_embed", hotwords)}
        else:
            given = {"speech": np.stack(speech), "bias_embed": np.stack(hotwords)}
        inputs = {
            **given,
            "speech_lengths": np.array([len(row) for row in rows], np.int32),
            # Prompts must stay with their row, so they are made from it.
            "language": np.array([(0, 3, 4)[len(row) % 3] for row in rows], np.int32),
            "textnorm": np.array([(14, 15)[len(row) % 2] for row in rows], np.int32),
        }
        feed = {value.name: inputs[value.name] for value in self.session.get_inputs()}
        names = [value.name for value in self.session.get_outputs()]
        return dict(zip(names, self.session.run(None, feed), strict=True))

    def _bias_embed(self, seed: int) -> NDArray[np.float32]:
        """Hotwords of a row: more than SeACo attends to at a time, unless told otherwise."""
        number = self._num_hotwords
        shape = (number if isinstance(number, int) else number[seed], self._hotword_dim)
        return np.random.default_rng(seed).uniform(-1, 1, shape).astype(np.float32)

    def __call__(
        self,
        rows: list[NDArray[np.float32]],
        extra: int = 0,
        fill: float = 0.0,
        widths: list[int] | None = None,
    ) -> list[Outputs]:
        num_frames = max(1, *(len(row) for row in rows)) + extra
        widths = widths or [num_frames] * len(rows)
        num_frames = max(widths)
        outputs = self.raw(rows, widths, fill)
        results = []
        for index, row in enumerate(rows):
            mine = {name: value[index] for name, value in outputs.items()}
            count = mine.get("token_num", mine.get("encoder_out_lens"))
            for name in mine.keys() & {*TOKEN_OUTPUTS, "logits", "ctc_logits"}:
                mine[name] = mine[name][:count]
            for name in mine.keys() & {"us_alphas", "us_cif_peak"}:
                steps = len(mine[name]) // num_frames
                assert not mine[name][len(row) * steps :].any(), "timestamps in the padding"
                mine[name] = mine[name][: len(row) * steps]
            results.append(mine)
        return results


@lru_cache(maxsize=24)  # to open one takes longer than a test's runs
def _open(
    path: Path, changed_ns: int, optimise: bool, limits: PackLimits | None
) -> tuple[onnxruntime.InferenceSession, object]:
    """Return a session, and what must live as long."""
    options = onnxruntime.SessionOptions()
    if not optimise:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_DISABLE_ALL
    options.intra_op_num_threads = 1
    options.log_severity_level = 4
    kept = None if limits is None else override_limits(options, limits)
    session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    return session, kept


def assert_same(expected: Outputs, got: Outputs) -> None:
    for name in ("token_num", "encoder_out_lens", "token_ids"):
        if name in expected:
            np.testing.assert_array_equal(expected[name], got[name], err_msg=name)
    for name in ("token_scores", "us_alphas", "us_cif_peak"):
        if name in expected:
            np.testing.assert_allclose(got[name], expected[name], atol=TOLERANCE, err_msg=name)
    if "candidate_scores" in expected:  # down to the eighth best, whose logarithms are large
        one, other = expected["candidate_scores"], got["candidate_scores"]
        np.testing.assert_allclose(other, one, rtol=TOLERANCE, atol=TOLERANCE)
