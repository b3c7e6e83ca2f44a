"""What `prepare` refuses, what it then says, and that nothing is written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import onnx
import pytest
from onnx import ModelProto, helper, numpy_helper

from asr_server.commands.prepare import main
from asr_server.graphs import PrepareError, prepare, read_metadata, verify
from asr_server.graphs.graph import Graph
from asr_server.graphs.ragged import take_rows_padded
from asr_server.graphs.session import Outputs
from asr_server.graphs.token_ids import TOKEN_OUTPUTS
from asr_server.graphs.versions import limit_versions
from tests.graphs.graph_rows import MODELS, Session

PARAFORMER = MODELS / "paraformer-tiny-seed0" / "model.onnx"
BICIF = MODELS / "bicif_paraformer-tiny-seed0" / "model.onnx"
SENSEVOICE = MODELS / "sensevoice-tiny-seed0" / "model.onnx"


def save_edited(source: Path, target: Path, edit: Callable[[ModelProto], None]) -> Path:
    model = onnx.load(source)
    edit(model)
    onnx.save(model, target)
    return target


def assert_refused(source: Path, tmp_path: Path, message: str, **options: object) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    target = folder / "model.onnx"
    target.write_bytes(b"what was there")
    with pytest.raises(PrepareError, match=message):
        prepare(source, target, threads=1, **options)  # type: ignore[arg-type]
    assert target.read_bytes() == b"what was there"
    assert list(folder.iterdir()) == [target], "left-over files"


def test_a_prepared_file_is_refused(tmp_path: Path) -> None:
    once = tmp_path / "once.onnx"
    prepare(SENSEVOICE, once, threads=1)
    assert_refused(once, tmp_path, "prepared graph already")


def test_the_wrong_kind_is_refused(tmp_path: Path) -> None:
    assert_refused(
        SENSEVOICE, tmp_path, "expected a paraformer graph, found .* sensevoice", kind="paraformer"
    )


def test_unknown_inputs_are_refused(tmp_path: Path) -> None:
    def add_input(model: ModelProto) -> None:
        value = helper.make_tensor_value_info("other", onnx.TensorProto.FLOAT, ["n", 32])
        model.graph.input.append(value)

    source = save_edited(PARAFORMER, tmp_path / "other.onnx", add_input)
    assert_refused(source, tmp_path, "expected inputs speech, speech_lengths .* got .*other")


def test_unknown_token_count_is_refused_with_the_way_out(tmp_path: Path) -> None:
    def ceil_instead_of_floor(model: ModelProto) -> None:
        for node in model.graph.node:
            if node.op_type == "Floor":
                node.op_type = "Ceil"

    source = save_edited(PARAFORMER, tmp_path / "ceil.onnx", ceil_instead_of_floor)
    assert_refused(source, tmp_path, "token_num: expected floor.*found .*Ceil.*--row-by-row")


def test_no_encoder_output_is_refused_with_the_way_out(tmp_path: Path) -> None:
    def bypass_encoder(model: ModelProto) -> None:
        """Let the token count also depend on the features themselves."""
        graph = Graph(model)
        mean = graph.reduce("ReduceMean", graph.reduce("ReduceMean", "speech", -1), -1)
        nothing = graph.add("Mul", [mean, graph.constant(0.0, np.float32)])
        node = graph.producer("token_num")
        assert node is not None
        summed = graph.add("Add", [node.input[0], nothing])
        node.input[0] = summed
        graph.finish()

    source = save_edited(PARAFORMER, tmp_path / "bypass.onnx", bypass_encoder)
    assert_refused(source, tmp_path, "no encoder output found.*--row-by-row")


def test_a_graph_that_still_depends_on_padding_is_refused(tmp_path: Path) -> None:
    def look_at_all_frames(model: ModelProto) -> None:
        """Add the number of frames, padding included, to the CTC logits."""
        graph = Graph(model)
        graph.rename_output_of("ctc_logits", "ctc_logits_before")
        frames = graph.cast(graph.dim("speech", 1), onnx.TensorProto.FLOAT)
        direction = graph.constant(np.linspace(-1, 1, 96), np.float32)
        graph.add(
            "Add", ["ctc_logits_before", graph.add("Mul", [frames, direction])], name="ctc_logits"
        )
        graph.finish()

    source = save_edited(SENSEVOICE, tmp_path / "frames.onnx", look_at_all_frames)
    assert_refused(source, tmp_path, "proof failed, nothing is written.*in a batch of")


def test_a_difference_from_the_original_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    right = verify.run_original

    def wrong(*arguments: object) -> list[Outputs | None]:
        results = right(*arguments)  # type: ignore[arg-type]
        for result in results:
            if result is not None:
                result["log_probs"] = np.roll(result["log_probs"], 1, axis=-1)
        return results

    monkeypatch.setattr(verify, "run_original", wrong)
    assert_refused(PARAFORMER, tmp_path, "prepared graph against original")


def test_a_file_onnx_runtime_cannot_load_is_refused(tmp_path: Path) -> None:
    def break_types(model: ModelProto) -> None:
        for node in model.graph.node:
            if node.op_type == "Relu":
                node.op_type = "NoSuchOperator"

    source = save_edited(SENSEVOICE, tmp_path / "broken.onnx", break_types)
    assert_refused(source, tmp_path, "ONNX Runtime cannot load broken.onnx")


def test_row_by_row_changes_only_the_end_and_is_still_independent(tmp_path: Path) -> None:
    target = tmp_path / "model.onnx"
    report = prepare(BICIF, target, row_by_row=True, threads=1)
    assert report.row_by_row
    assert report.edits["mask_tables"] == 0
    assert "left as it was" in report.messages[0]
    assert report.figures["independence_rows"] > 0
    assert "proof" in read_metadata(target)
    names = {value.name for value in Session(target).session.get_outputs()}
    assert names == {*TOKEN_OUTPUTS, "token_num", "us_alphas", "us_cif_peak"}


def test_old_opset_is_refused(tmp_path: Path) -> None:
    def age(model: ModelProto) -> None:
        model.opset_import[0].version = 12

    source = save_edited(PARAFORMER, tmp_path / "old.onnx", age)
    assert_refused(source, tmp_path, "opset 12: expected 13 to 21")


def test_newer_versions_are_brought_down() -> None:
    def model_of(opset: int) -> ModelProto:
        x = helper.make_tensor_value_info("x", onnx.TensorProto.FLOAT, ["n"])
        y = helper.make_tensor_value_info("y", onnx.TensorProto.FLOAT, ["n"])
        graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "g", [x], [y])
        opsets = [helper.make_opsetid("", opset)]
        return helper.make_model(graph, opset_imports=opsets, ir_version=11)

    for opset, expected in ((14, 14), (21, 21), (22, 21)):
        model = limit_versions(model_of(opset))
        assert model.ir_version == 10
        assert model.opset_import[0].version == expected


def test_new_ir_version_is_brought_down(tmp_path: Path) -> None:
    def renew(model: ModelProto) -> None:
        model.ir_version = 11

    source = save_edited(SENSEVOICE, tmp_path / "ir11.onnx", renew)
    prepare(source, tmp_path / "model.onnx", threads=1)
    assert onnx.load(tmp_path / "model.onnx").ir_version == 10


@pytest.mark.parametrize("source", [PARAFORMER, BICIF])
def test_mask_tables_of_older_exports_are_computed(source: Path, tmp_path: Path) -> None:
    old = save_edited(source, tmp_path / "old.onnx", bake_mask_tables)
    report = prepare(old, tmp_path / "model.onnx", threads=1)
    assert report.mask_table_frames == 512
    assert report.edits["mask_tables"] == 4
    assert "512 frames (30.7 s)" in report.messages[0]
    # Beyond the table's end, where the old export fails.
    prepare(source, tmp_path / "new.onnx", threads=1)
    row = np.random.default_rng(0).standard_normal((530, 560)).astype(np.float32)
    expected = Session(tmp_path / "new.onnx")([row])[0]
    got = Session(tmp_path / "model.onnx")([row], extra=9, fill=3.0)[0]
    np.testing.assert_array_equal(expected["token_ids"], got["token_ids"])
    np.testing.assert_allclose(expected["us_cif_peak"], got["us_cif_peak"], atol=1e-4)


def bake_mask_tables(model: ModelProto) -> None:
    """Write masks as FunASR did before #1455: a row of `np.tri(512)`, cut to the batch's maximum.

    Today's form is Less(Range(0, max(lengths)), lengths).
    """
    graph = Graph(model)
    table = graph.constant(np.tri(512), np.bool_)
    int64 = onnx.TensorProto.INT64
    for less in [node for node in graph.nodes if node.op_type == "Less"]:
        frames = graph.producer(graph.origin(less.input[0]))
        if frames is None or frames.op_type != "Range":
            continue
        maximum = graph.producer(graph.origin(frames.input[1]))
        if maximum is None or maximum.op_type != "ReduceMax":
            continue
        index = graph.add("Sub", [graph.cast(maximum.input[0], int64), graph.constant(1, np.int64)])
        rows = graph.add("Gather", [table, index], axis=0)
        end = graph.unsqueeze(graph.cast(maximum.output[0], int64), 0)
        start, axis = graph.constant([0], np.int64), graph.constant([-1], np.int64)
        mask = graph.add("Slice", [rows, start, end, axis])
        graph.replace_uses(less.output[0], mask)
    graph.finish()


def test_command_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    target = tmp_path / "model.onnx"
    assert main([str(SENSEVOICE), str(target), "--threads", "1"]) == 0
    assert "all rows at once" in capsys.readouterr().out
    assert main([str(target), str(tmp_path / "again.onnx")]) == 1
    assert "prepared graph already" in capsys.readouterr().err
    assert main([str(tmp_path / "missing.onnx"), str(tmp_path / "again.onnx")]) == 1
    assert "missing.onnx" in capsys.readouterr().err
    assert not (tmp_path / "again.onnx").exists()


def test_initializers_of_dead_nodes_are_dropped(tmp_path: Path) -> None:
    prepare(PARAFORMER, tmp_path / "model.onnx", threads=1)
    model = onnx.load(tmp_path / "model.onnx")
    take_rows_padded(model)
    used = {name for node in model.graph.node for name in node.input}
    unused = [t.name for t in model.graph.initializer if t.name not in used]
    assert unused == []
    weights = [numpy_helper.to_array(t).size for t in onnx.load(PARAFORMER).graph.initializer]
    kept = [numpy_helper.to_array(t).size for t in model.graph.initializer]
    assert sum(kept) == pytest.approx(sum(weights), rel=0.01)


def test_a_file_that_is_no_onnx_is_refused(tmp_path: Path) -> None:
    source = tmp_path / "model.onnx"
    source.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")
    assert_refused(source, tmp_path, "model.onnx")
