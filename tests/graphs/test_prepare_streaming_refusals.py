"""What of a streaming Paraformer is not prepared, and what is said then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
from onnx import ModelProto

from asr_server.commands.prepare import main
from asr_server.graphs import FrontEnd, PrepareError, prepare, verify_streaming_encoder
from asr_server.graphs.graph import Graph
from tests.graphs.graph_rows import MODELS
from tests.lab.test_random_models import ONLINE_NAMES

TINY = MODELS / ONLINE_NAMES[0]


@pytest.fixture
def copied(tmp_path: Path) -> Path:
    return Path(shutil.copytree(TINY, tmp_path / "model"))


def edit(path: Path, change: Callable[[Graph, ModelProto], None]) -> None:
    model = onnx.load(path)
    graph = Graph(model)
    change(graph, model)
    graph.finish()
    onnx.save(model, path)


def assert_refused(source: Path, message: str, **options: Any) -> None:
    target = source.parent / "prepared.onnx"
    target.write_bytes(b"what was there")
    before = set(source.parent.iterdir())
    with pytest.raises(PrepareError, match=message):
        prepare(source, target, threads=1, **options)
    assert target.read_bytes() == b"what was there"
    assert set(source.parent.iterdir()) == before, "left-over files"


def test_the_wrong_kind_is_refused(copied: Path) -> None:
    message = "expected a streaming_encoder graph, found .* streaming_decoder"
    assert_refused(copied / "decoder.onnx", message, kind="streaming_encoder")
    assert_refused(copied / "model.onnx", "expected a paraformer graph", kind="paraformer")


def test_a_prepared_graph_is_refused(copied: Path) -> None:
    prepare(copied / "model.onnx", copied / "once.onnx", threads=1)
    assert_refused(copied / "once.onnx", "prepared graph already")


def test_row_by_row_is_refused(copied: Path) -> None:
    assert_refused(copied / "decoder.onnx", "row-by-row does not work", row_by_row=True)


def test_recordings_are_refused(copied: Path) -> None:
    recordings = [np.zeros((10, 560), np.float32)]
    assert_refused(copied / "model.onnx", "made windows only", recordings=recordings)


def test_cmvn_of_another_model_is_refused(copied: Path) -> None:
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(text.replace("lfr_m: 7", "lfr_m: 5"))
    assert_refused(copied / "model.onnx", "am.mvn: expected 400 dimensions .* got 560")


def test_config_of_another_size_is_refused(copied: Path) -> None:
    text = (copied / "config.yaml").read_text()
    (copied / "config.yaml").write_text(text.replace("output_size: 32", "output_size: 512"))
    assert_refused(copied / "model.onnx", "enc: expected 512 columns .*config.yaml.*, got 32")


def test_a_broken_cmvn_is_refused(copied: Path) -> None:
    (copied / "am.mvn").write_text("<Nnet>\n")
    assert_refused(copied / "model.onnx", "am.mvn: expected <AddShift> and <Rescale>")


def test_an_unknown_next_cache_is_refused(copied: Path) -> None:
    def double(graph: Graph, _model: ModelProto) -> None:
        graph.rename_output_of("out_cache_1", "before")
        graph.add("Add", ["before", "before"], name="out_cache_1")

    edit(copied / "decoder.onnx", double)
    message = "out_cache_1: expected the end of in_cache_1 .* found Add"
    assert_refused(copied / "decoder.onnx", message)


def test_alphas_that_bypass_the_encoder_are_refused(copied: Path) -> None:
    def bypass(graph: Graph, _model: ModelProto) -> None:
        mean = graph.reduce("ReduceMean", "speech", -1)
        nothing = graph.add("Mul", [mean, graph.constant(0.0, np.float32)])
        graph.rename_output_of("alphas", "before")
        graph.add("Add", ["before", nothing], name="alphas")

    edit(copied / "model.onnx", bypass)
    assert_refused(copied / "model.onnx", "'alphas' to depend on the speech through 'enc' alone")


def test_a_decoder_that_depends_on_padding_is_refused(copied: Path) -> None:
    def count_tokens(graph: Graph, _model: ModelProto) -> None:
        """Add the number of tokens, padding included, to the logits."""
        graph.rename_output_of("logits", "before")
        tokens = graph.cast(graph.dim("acoustic_embeds", 1), onnx.TensorProto.FLOAT)
        direction = graph.constant(np.linspace(-1, 1, 64), np.float32)
        graph.add("Add", ["before", graph.add("Mul", [tokens, direction])], name="logits")

    edit(copied / "decoder.onnx", count_tokens)
    assert_refused(copied / "decoder.onnx", "proof failed, nothing is written: .*padding")


def test_a_difference_from_the_original_is_refused(
    copied: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = verify_streaming_encoder.front_end_model

    def wrong(front_end: FrontEnd) -> ModelProto:
        return right(FrontEnd(front_end.cmvn, front_end.output_size + 1))

    monkeypatch.setattr(verify_streaming_encoder, "front_end_model", wrong)
    assert_refused(copied / "model.onnx", "the front end differs from NumPy's")


def test_command_line(copied: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("model", "decoder"):
        target = copied / f"{name}-prepared.onnx"
        assert main([str(copied / f"{name}.onnx"), str(target), "--threads", "1"]) == 0
        assert "streaming" in capsys.readouterr().out
    (copied / "am.mvn").unlink()
    assert main([str(copied / "model.onnx"), str(copied / "again.onnx")]) == 1
    assert "am.mvn" in capsys.readouterr().err
    assert not (copied / "again.onnx").exists()
