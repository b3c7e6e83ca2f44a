"""Promises of the prepared graphs of FSMN-VAD and CT-Transformer, and what is refused."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import numpy_helper

from asr_server.errors import InstallError
from asr_server.graphs import PrepareError, prepare, read_metadata
from asr_server.graphs.graph import Graph
from asr_server.graphs.speech_like import speech_like_features
from asr_server.install import install
from asr_server.models import KINDS, copy_repository
from lab.training.exported_graphs import ExportedPunctuation, ExportedVad
from tests.punctuation_reference import PUNCTUATION_MODELS, PUNCTUATION_ONLINE_MODELS
from tests.vad_reference import TINY_VAD, VAD_MODELS

TINY = PUNCTUATION_MODELS["ct_transformer-tiny-seed0"]
TINY_ONLINE = PUNCTUATION_ONLINE_MODELS["ct_transformer_streaming-tiny-seed0"]
ROOT = Path(__file__).parents[2]


def session(path: Path) -> onnxruntime.InferenceSession:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(str(path), options)


def check_dims(graph: onnxruntime.InferenceSession) -> None:
    """Triton's C++ backend compares them with the `-1` of `config.pbtxt`."""
    for output in graph.get_outputs():
        assert all(isinstance(dim, str) for dim in output.shape), output.name


@pytest.mark.parametrize("name", VAD_MODELS)
def test_vad_rows_are_the_exports_own(name, tmp_path):
    """Rows of any length, padded with NaN: scores and next caches are those of each row alone."""
    report = prepare(VAD_MODELS[name] / "model.onnx", tmp_path / "model.onnx", threads=1)
    assert (report.kind, report.precision, report.row_by_row) == ("vad", "fp32", False)
    vad, graph = ExportedVad(VAD_MODELS[name]), session(tmp_path / "model.onnx")
    check_dims(graph)
    rng = np.random.default_rng(0)
    lengths = [1, 40, 7, 19, 3, 100]
    speech = np.full((len(lengths), 105, 400), np.nan, np.float32)
    for row, length in zip(speech, lengths, strict=True):
        row[:length] = speech_like_features(rng, length, 5, 1)
    cache = rng.standard_normal((len(lengths), *vad.model.cache_shape)).astype(np.float32)
    columns = np.array(lengths, np.int32)[:, None]
    feed = {"speech": speech, "speech_lengths": columns, "cache": cache}
    probs, next_cache = graph.run(["silence_probs", "next_cache"], feed)
    wanted_probs, wanted_cache = vad(speech, columns, cache)
    np.testing.assert_allclose(probs, wanted_probs, atol=1e-5)
    np.testing.assert_allclose(next_cache, wanted_cache, atol=1e-4)
    assert probs.std() > 0.1


@pytest.mark.parametrize("name", {**PUNCTUATION_MODELS, **PUNCTUATION_ONLINE_MODELS})
@pytest.mark.parametrize("row_by_row", [False, True])
def test_punctuation_rows_are_the_exports_own(name, row_by_row, tmp_path):
    directory = {**PUNCTUATION_MODELS, **PUNCTUATION_ONLINE_MODELS}[name]
    report = prepare(
        directory / "model.onnx", tmp_path / "model.onnx", threads=1, row_by_row=row_by_row
    )
    online = name in PUNCTUATION_ONLINE_MODELS
    assert report.kind == ("punctuation_online" if online else "punctuation")
    model, graph = ExportedPunctuation(directory), session(tmp_path / "model.onnx")
    check_dims(graph)
    rng = np.random.default_rng(0)
    lengths = np.array([[20], [1], [37], [3]], np.int32)
    word_ids = rng.integers(1, 150, (4, 40)).astype(np.int32)
    contexts = np.array([[7], [1], [0], [3]], np.int32)
    feed = {"word_ids": word_ids, "word_lengths": lengths}
    if online:
        feed["vad_indexes"] = contexts
    (marks,) = graph.run(["punctuations"], feed)
    np.testing.assert_array_equal(marks, model(word_ids, lengths, contexts))
    assert len(set(marks.ravel().tolist())) >= 4


@pytest.mark.parametrize("directory", [TINY_VAD, TINY, TINY_ONLINE], ids=["vad", "punc", "online"])
def test_int8_runs_row_by_row(directory, tmp_path):
    report = prepare(directory / "model_quant.onnx", tmp_path / "model.onnx", threads=1)
    assert report.precision == "int8" and report.row_by_row
    assert read_metadata(tmp_path / "model.onnx")["kind"] == report.kind
    assert ("pieces in which it arrives" in report.messages[0]) == (report.kind == "vad")


def test_the_pause_matters(tmp_path):
    """Else the comparisons would say nothing of the masks."""
    prepare(TINY_ONLINE / "model.onnx", tmp_path / "model.onnx", threads=1)
    graph = session(tmp_path / "model.onnx")
    word_ids = np.random.default_rng(0).integers(1, 150, (32, 40)).astype(np.int32)
    feed = {"word_ids": word_ids, "word_lengths": np.full((32, 1), 40, np.int32)}
    contexts = [np.full((32, 1), context, np.int32) for context in (0, 10, 40)]
    none, some, all_of_it = (graph.run(None, {**feed, "vad_indexes": c})[0] for c in contexts)
    np.testing.assert_array_equal(none, all_of_it)
    assert (none != some).sum() > 3


def edited(directory: Path, work: Path, change: Callable[[Graph], None]) -> Path:
    """A copy of a model with a changed graph; returns the graph's file."""
    copy = Path(shutil.copytree(directory, work / "model"))
    model = onnx.load(copy / "model.onnx")
    graph = Graph(model)
    change(graph)
    graph.finish()
    onnx.save(model, copy / "model.onnx")
    return copy / "model.onnx"


def test_vad_that_looks_ahead_is_refused(tmp_path):
    """A layer that sees frames to come would depend on the pieces; the proof finds it."""

    def look_ahead(graph: Graph) -> None:
        node = next(node for node in graph.nodes if node.op_type == "Softmax")
        frames = graph.dim("speech", 1)
        ahead = graph.add("Sub", [frames, graph.constant(1, np.int64)])
        last = graph.add("Gather", [node.input[0], graph.unsqueeze(ahead, 0)], axis=1)
        mixed = graph.add("Add", [node.input[0], last])
        graph.replace_uses(node.input[0], mixed, except_for=[last, mixed])

    source = edited(TINY_VAD, tmp_path, look_ahead)
    with pytest.raises(PrepareError, match="proof failed"):
        prepare(source, tmp_path / "out.onnx", threads=1)
    assert not (tmp_path / "out.onnx").exists()


def test_vad_without_probabilities_is_refused(tmp_path):
    def take_logits(graph: Graph) -> None:
        node = next(node for node in graph.nodes if node.op_type == "Softmax")
        graph.rename_output_of("logits", "softmax")
        graph.add("Identity", [node.input[0]], name="logits")

    with pytest.raises(PrepareError, match="expected probabilities from Softmax"):
        prepare(edited(TINY_VAD, tmp_path, take_logits), tmp_path / "out.onnx", threads=1)


def test_classes_that_the_vad_does_not_have_are_refused(tmp_path):
    copy = Path(shutil.copytree(TINY_VAD, tmp_path / "model"))
    config = (copy / "config.yaml").read_text()
    (copy / "config.yaml").write_text(config.replace("sil_pdf_ids:\n  - 0", "sil_pdf_ids: [12]"))
    with pytest.raises(PrepareError, match="numbers of the 12 classes, got \\[12\\]"):
        prepare(copy / "model.onnx", tmp_path / "out.onnx", threads=1)


def test_punctuation_that_depends_on_the_batch_is_refused(tmp_path):
    def mix_rows(graph: Graph) -> None:
        node = graph.producer("logits")
        tensor = next(name for name in node.input if graph.producer(name))
        scale = graph.reduce("ReduceMax", tensor, 0, keepdims=True)
        mixed = graph.add("Add", [tensor, scale])
        graph.replace_uses(tensor, mixed, except_for=[scale, mixed])

    source = edited(TINY, tmp_path, mix_rows)
    with pytest.raises(PrepareError, match="proof failed"):
        prepare(source, tmp_path / "out.onnx", threads=1)


def test_other_kinds_and_prepared_graphs_are_refused(tmp_path):
    prepared = tmp_path / "prepared.onnx"
    prepare(TINY / "model.onnx", prepared, threads=1)
    refused = [
        (TINY_VAD / "model.onnx", "punctuation", {}, "expected a punctuation graph, found .* vad"),
        (TINY_ONLINE / "model.onnx", "punctuation", {}, "of punctuation_online"),
        (TINY_VAD / "model.onnx", "vad", {"row_by_row": True}, "does not work for vad"),
        (prepared, "auto", {}, "prepared graph already"),
    ]
    for source, kind, options, message in refused:
        with pytest.raises(PrepareError, match=message):
            prepare(source, tmp_path / "out.onnx", kind=kind, threads=1, **options)


def test_word_level_punctuation_is_not_installed(tmp_path):
    copy = Path(shutil.copytree(TINY, tmp_path / "model"))
    (copy / "jieba_usr_dict").write_text("今天天气\n")
    kind = KINDS["punctuation"]
    repository = copy_repository(kind, tmp_path / "repository")
    with pytest.raises(InstallError, match="without jieba_usr_dict"):
        install(kind, copy, repository)


def test_random_models_have_no_marks_that_no_model_sets():
    """`<unk>` is a class of the models, and trained ones never choose it."""
    for directory in {**PUNCTUATION_MODELS, **PUNCTUATION_ONLINE_MODELS}.values():
        model = onnx.load(directory / "model.onnx")
        weights = [numpy_helper.to_array(t) for t in model.graph.initializer]
        assert min(w.min() for w in weights if w.shape == (6,)) < -20
