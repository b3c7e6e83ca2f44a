"""int8 and float16 at full size: logit error, independence of the batch, and speed.

    python -m pytest -m soak -s tests/soak/test_precisions.py

prints what docs/precisions.md holds. Random weights: cost is real, agreement is not that of speech.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnxruntime
import pytest

from asr_server.graphs import convert, prepare
from asr_server.graphs.feeds import make_feeds
from asr_server.graphs.ragged import RAGGED, end_to_end
from asr_server.graphs.speech_like import speech_like_features
from asr_server.recordings import read_features
from tests.precision_models import SAMPLES, load
from tests.soak.test_full_size import exported

pytestmark = pytest.mark.soak

RECIPES = ("signed", "funasr", "per_frame")
SHAPES = ((1, 84), (1, 167), (4, 84))  # rows, frames of 60 ms
ROUNDS = 7
THREADS = 2  # of the conversion
RUNS = 2  # at a time, on a thread each, as the server does on two cores


class Timed:
    """A session, and the seconds of its runs."""

    def __init__(self, path):
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        self.session = onnxruntime.InferenceSession(
            str(path), options, providers=["CPUExecutionProvider"]
        )
        self.seconds = []

    def run(self, feed):
        started = time.perf_counter()
        with ThreadPoolExecutor(RUNS) as pool:
            list(pool.map(lambda _: self.session.run(None, feed), range(RUNS)))
        self.seconds.append(time.perf_counter() - started)


def batch(model, rows, frames):
    """Inputs of one batch of made speech, all rows of full length."""
    rng = np.random.default_rng(frames)
    feeds = make_feeds(model, [speech_like_features(rng, frames) for _ in range(rows)])
    joined = {name: np.concatenate([feed[name] for feed in feeds]) for name in feeds[0]}
    for name in RAGGED:
        if name in joined:
            joined |= end_to_end(name, joined[name])
    joined.pop("bias_embed_lengths", None)
    return joined


@pytest.mark.parametrize("kind", ["paraformer", "sensevoice"])
def test_precisions(tmp_path, kind):
    source = exported(kind)
    paths = {"fp32": tmp_path / "fp32.onnx"}
    prepare(source / "model.onnx", paths["fp32"], threads=THREADS)
    recordings = read_features(sorted(SAMPLES.glob("*.wav")), source / "am.mvn")
    for name in (*RECIPES, "fp16"):
        paths[name] = tmp_path / f"{name}.onnx"
        precision, recipe = ("fp16", "signed") if name == "fp16" else ("int8", name)
        report = convert(
            paths["fp32"], paths[name], precision, recordings, recipe=recipe, threads=THREADS
        )
        print(f"\n{kind} {name}, {paths[name].stat().st_size / 1e6:.0f} MB\n{report}")
        assert report.logits.mean < 0.3 * report.logits.spread
        if name == "fp16":
            assert report.logits.mean < 0.02 * report.logits.spread

    feeds = {shape: batch(load(paths["fp32"]), *shape) for shape in SHAPES}
    sessions = {name: Timed(paths[name]) for name in ("fp32", *RECIPES)}
    for shape, feed in feeds.items():
        for timed in sessions.values():
            timed.run(feed)  # the first run allocates
            timed.seconds.clear()
        for _ in range(ROUNDS):  # in turn, so that other load strikes all alike
            for timed in sessions.values():
                timed.run(feed)
        fp32 = np.array(sessions["fp32"].seconds)
        ratios = {name: np.median(fp32 / sessions[name].seconds) for name in RECIPES}
        shown = ", ".join(f"{name} {ratio:.2f}" for name, ratio in ratios.items())
        print(
            f"{kind} {shape[0]} x {shape[1]}, {RUNS} runs at a time: fp32 {np.median(fp32):.3f} s; "
            f"times faster, median of {ROUNDS} rounds: {shown}"
        )
        for timed in sessions.values():
            timed.seconds.clear()
