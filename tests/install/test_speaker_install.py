"""A speaker model is installed from whatever file holds it; what is none is refused."""

from __future__ import annotations

import shutil

import onnx
import pytest

from asr_server.commands.install import main
from asr_server.graphs import PrepareError, prepare
from asr_server.models import KINDS, copy_repository
from tests.serving import RANDOM_MODELS

TINY = RANDOM_MODELS / "campplus-tiny-seed0" / "model.onnx"


def install(tmp_path, *arguments) -> int:
    repository = copy_repository(KINDS["speaker"], tmp_path / "repository")
    return main(
        ["speaker", *map(str, arguments), "--store", str(tmp_path), "--repository", str(repository)]
    )


def test_a_graph_of_any_name_and_input_installs(tmp_path, capsys):
    """As 3D-Speaker's exporter and others write it: one file, wherever it lies."""
    model = onnx.load(str(TINY))
    for node in model.graph.node:
        for index, name in enumerate(node.input):
            if name == "feature":
                node.input[index] = "x"
    model.graph.input[0].name = "x"
    onnx.save(model, str(tmp_path / "campplus.onnx"))
    assert install(tmp_path, "--from", tmp_path / "campplus.onnx") == 0
    assert "installed campplus (fp32)" in capsys.readouterr().out
    graph = onnx.load(str(tmp_path / "repository" / "speaker_encoder" / "1" / "model.onnx"))
    assert [value.name for value in graph.graph.input] == ["features"]


def test_what_is_no_speaker_model_is_refused(tmp_path, capsys):
    shutil.copy(RANDOM_MODELS / "fsmn_vad-tiny-seed0" / "model.onnx", tmp_path / "vad.onnx")
    assert install(tmp_path, "--from", tmp_path / "vad.onnx") == 1
    assert "expected a speaker graph, found inputs and outputs of vad" in capsys.readouterr().err
    assert main(["vad", "--from", str(TINY), "--store", str(tmp_path)]) == 1
    assert "expected" in capsys.readouterr().err
    missing = tmp_path / "other" / "none.onnx"
    assert main(["speaker", "--from", str(missing), "--store", str(tmp_path)]) == 1
    assert "no such file" in capsys.readouterr().err


def test_rows_are_not_taken_one_by_one(tmp_path):
    with pytest.raises(PrepareError, match="--row-by-row does not work for speaker"):
        prepare(TINY, tmp_path / "model.onnx", row_by_row=True)


@pytest.mark.parametrize("width", [40, 560])
def test_other_features_are_refused(tmp_path, width):
    model = onnx.load(str(TINY))
    model.graph.input[0].type.tensor_type.shape.dim[2].dim_value = width
    onnx.save(model, str(tmp_path / "model.onnx"))
    with pytest.raises(PrepareError, match=r"one input \[B, T, 80\]; got feature .*" + str(width)):
        prepare(tmp_path / "model.onnx", tmp_path / "prepared.onnx")
