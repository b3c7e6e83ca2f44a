"""The aligner `fa-zh` without a server: parity with FunASR's class, batches, refusals, failures."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from asr_core.alignment import (
    ALIGNER_ENCODER_OUTPUTS,
    NO_WORD,
    CharacterCounter,
    CifAlignmentService,
    CifRequest,
    load_cif_alignment,
)
from asr_core.features import LFR_FRAME_MS
from asr_core.paraformer import load_segmentation
from asr_core.text import aligned_spans_ms
from asr_server.graphs import PrepareError, prepare
from asr_server.graphs.session import Session
from tests.recordings import cut
from tests.serving import RANDOM_MODELS

GOLDEN = json.loads((Path(__file__).parents[1] / "golden" / "alignments.json").read_text())
TINY = RANDOM_MODELS / "monotonic_aligner-tiny-seed0"


@pytest.fixture(scope="module")
def encode(tmp_path_factory):
    target = tmp_path_factory.mktemp("aligner") / "model.onnx"
    report = prepare(TINY / "model.onnx", target)
    assert report.kind == "aligner"
    assert report.figures["independence_max_weight_difference"] < 1e-4
    return Session(target, threads=1, optimise=True).function(ALIGNER_ENCODER_OUTPUTS)


@pytest.fixture(scope="module")
def service() -> CifAlignmentService:
    return load_cif_alignment(TINY, max_audio_seconds=60, max_batch_size=3)


def request(*rows: tuple[np.ndarray, str], padding: int = 0) -> CifRequest:
    width = max(len(sound) for sound, _ in rows) + padding
    most = max(len(text) for _, text in rows)
    words = [[char.encode() for char in text] + [b""] * (most - len(text)) for _, text in rows]
    return CifRequest(
        np.stack([np.pad(sound, (0, width - len(sound))) for sound, _ in rows]),
        np.array([[len(sound)] for sound, _ in rows], np.int32),
        np.array(words, np.object_).reshape(len(rows), most),
    )


def golden_sound(seconds: float) -> np.ndarray:
    """As the golden numbers' recordings were written to files."""
    return (np.round(cut(seconds, start=5.0) * 32767) / 32768).astype(np.float32)


@pytest.mark.parametrize("device", ["cpu", "gpu"])
def test_times_are_those_of_funasrs_class(service, device, tmp_path):
    """FunASR's own features, MonotonicAligner in PyTorch and rules wrote the golden numbers."""
    prepare(TINY / "model.onnx", tmp_path / "model.onnx", device=device)
    session = Session(tmp_path / "model.onnx", threads=1, optimise=True)
    encode = session.function(ALIGNER_ENCODER_OUTPUTS)
    for case in GOLDEN["times"]:
        asked = request((golden_sound(case["seconds"]), case["text"]))
        (got,) = service.answer([asked], encode)
        expected = np.array(case["timestamp"])
        assert got.shape == (1, *expected.shape)
        # To the millisecond but for a fire that rounding moves by a step of 20 ms; a frame has 60.
        assert np.abs(got[0] - expected).max() < LFR_FRAME_MS
        assert (got[0] == expected).mean() > 0.95


@pytest.mark.parametrize("table", ["plain", "segmented"])
def test_tokens_are_as_many_as_funasrs(table, tmp_path):
    path = tmp_path / "seg_dict"
    path.write_text(GOLDEN["segmentation"], encoding="utf-8")
    count = CharacterCounter(load_segmentation(path) if table == "segmented" else {})
    for case in GOLDEN["tokens"]:
        assert sum(map(count, case["text"].split(" "))) == case[table], case["text"]


def test_neighbours_and_padding_change_nothing(service, encode):
    rng = np.random.default_rng(0)
    rows = [
        (cut(float(rng.choice([0.5, 1.5, 2.0])), rng.uniform(0, 50)), "一二三四五"[: 1 + i % 5])
        for i in range(12)
    ]
    alone = [service.answer([request(row)], encode)[0][0] for row in rows]
    requests = [request(*rows[i : i + 4], padding=1000) for i in (0, 4, 8)]
    together = [times for answer in service.answer(requests, encode) for times in answer]
    for (_, text), single, batched in zip(rows, alone, together, strict=True):
        assert np.array_equal(single, batched[: len(text)])
        assert (batched[len(text) :] == NO_WORD).all()


def test_only_equal_lengths_share_a_run(service, encode):
    shapes = []

    def watched(*, speech):
        shapes.append(speech.shape[:2])
        return encode(speech=speech)

    rows = [(cut(seconds, 0), "一") for seconds in (1.0, 2.0, 1.0, 1.0, 2.0, 1.0)]
    service.answer([request(*rows)], watched)
    assert sorted(shapes) == [(1, 17), (2, 33), (3, 17)]


def test_bad_input_fails_alone(service, encode):
    good = (cut(1.0, 3.0), "你好")
    wrong_rows = request(good)
    no_text = request(good)
    no_text.words[0, 0] = b"\xff"
    bad = [
        (request((good[0][:399], "你好")), r"WAV, row 0: expected at least one frame.*got 399"),
        (request((np.full(8000, np.nan, np.float32), "好")), "expected finite samples"),
        (request((np.zeros(62 * 16000, np.float32), "好")), "expected at most 60 s"),
        (
            CifRequest(wrong_rows.waveforms, wrong_rows.lengths, wrong_rows.words[:0]),
            r"WORDS: expected 1 rows, as WAV has; got 0",
        ),
        (no_text, "WORDS: expected UTF-8"),
    ]
    answers = service.answer([request(good), *(each for each, _ in bad), request(good)], encode)
    first, *refused, last = answers
    for answer, (_, message) in zip(refused, bad, strict=True):
        assert isinstance(answer, ValueError)
        with pytest.raises(ValueError, match=message):
            raise answer
    assert np.array_equal(first, last) and (first >= 0).all()


def test_a_failure_of_the_encoder_is_that_of_its_requests(service, encode):
    def broken(*, speech):
        if speech.shape[1] == 17:
            raise RuntimeError("out of memory")
        return encode(speech=speech)

    short, long = (cut(1.0, 0), "一"), (cut(2.0, 0), "一")
    answers = service.answer([request(short), request(long, short), request(short)], broken)
    assert all(isinstance(answer, RuntimeError) for answer in answers)


def test_times_are_in_order_whatever_the_weights():
    rng = np.random.default_rng(1)
    for case in range(200):
        weights = np.maximum(rng.normal(0, 0.2, int(rng.integers(1, 200))), 0).astype(np.float32)
        if case % 10 == 0:
            weights[:] = 0  # digital silence
        count = int(rng.integers(1, 60))
        spans = np.array(aligned_spans_ms(weights, count))
        assert spans.shape == (count, 2)
        assert (spans[:, 0] <= spans[:, 1]).all()
        assert (spans[:-1, 1] <= spans[1:, 0]).all()
        assert spans.min() >= 0 and spans.max() <= len(weights) * 20


def test_scale_of_the_weights_does_not_matter():
    rng = np.random.default_rng(2)
    weights = rng.uniform(0, 0.4, 150).astype(np.float32)
    assert aligned_spans_ms(weights, 9) == aligned_spans_ms(weights * np.float32(4), 9)


def test_what_is_no_aligner_is_refused(tmp_path):
    with pytest.raises(PrepareError, match="--row-by-row does not work for aligner"):
        prepare(TINY / "model.onnx", tmp_path / "model.onnx", row_by_row=True)
    with pytest.raises(PrepareError, match=r"expected a aligner graph, found .* bicif_paraformer"):
        other = RANDOM_MODELS / "bicif_paraformer-tiny-seed0" / "model.onnx"
        prepare(other, tmp_path / "model.onnx", kind="aligner")
