"""What is wrong with a model file is found before ONNX Runtime opens it."""

import sys
from pathlib import Path

import onnx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx import TensorProto, helper

sys.path.insert(0, str(Path(__file__).parents[2] / "backends" / "onnxruntime"))

from ort_file import OnnxVersions, check_file, model_file, read_versions


def identity(ir=10, opset=21, weights=0):
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["b", 2]) for name in "xy")
    unused = helper.make_tensor("w", TensorProto.FLOAT, [weights], [0.5] * weights)
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [x], [y], [unused])
    opsets = [helper.make_opsetid("com.microsoft", 99), helper.make_opsetid("", opset)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=ir).SerializeToString()


@pytest.fixture
def write(tmp_path):
    def write_bytes(content):
        path = tmp_path / "model.onnx"
        path.write_bytes(content)
        return path

    return write_bytes


@pytest.mark.parametrize("opset", [1, 17, 21, 300])
def test_versions_are_found_behind_the_weights(write, opset):
    path = write(identity(8, opset, weights=1000))
    assert read_versions(path) == OnnxVersions(8, opset)
    loaded = onnx.load(path)
    assert {entry.domain: entry.version for entry in loaded.opset_import}[""] == opset


@pytest.mark.parametrize(("ir", "opset"), [(11, 21), (10, 22)])
def test_newer_than_the_container_is_refused_unless_allowed(write, ir, opset):
    path = write(identity(ir, opset))
    with pytest.raises(ValueError, match=rf"IR version 10 and opset 21.*got IR version {ir}"):
        check_file(path)
    check_file(path, allow_newer_onnx=True)


@given(st.integers(1, 3000))
def test_a_cut_file_is_truncated_or_nothing_at_all(tmp_path_factory, cut):
    whole = identity(weights=1000)
    path = tmp_path_factory.mktemp("cut") / "model.onnx"
    path.write_bytes(whole[:-cut])
    try:
        versions = read_versions(path)
    except ValueError as error:
        assert str(path) in str(error)
        assert "truncated" in str(error)
    else:  # cut between two fields: the last ones are missing
        assert versions.opset == 0 or cut < 10


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "got an empty file"),
        (b"version https://git-lfs.github.com/spec/v1\n", "Git LFS pointer"),
        (b"<html>", "another format"),
        (b"\x08" + b"\xff" * 20, "a number without end"),
    ],
)
def test_other_files_are_named(write, content, words):
    path = write(content)
    with pytest.raises(ValueError, match=words) as caught:
        check_file(path)
    assert str(path) in str(caught.value)


def test_ort_format_is_left_to_onnxruntime(tmp_path):
    path = tmp_path / "model.ort"
    path.write_bytes(b"\0\0\0\0ORTM")
    check_file(path)


def test_the_file_is_found(tmp_path):
    (tmp_path / "model.onnx").touch()
    (tmp_path / "encoder.onnx").touch()
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "model.onnx").touch()
    assert model_file(tmp_path, {}).name == "model.onnx"
    assert model_file(tmp_path, {"default_model_filename": ""}).name == "model.onnx"
    assert model_file(tmp_path, {"default_model_filename": "encoder.onnx"}).name == "encoder.onnx"
    inside = model_file(tmp_path, {"default_model_filename": "folder"})
    assert inside == tmp_path / "folder" / "model.onnx"
    with pytest.raises(ValueError, match=r"expected the model file .*vad\.onnx, got .*encoder"):
        model_file(tmp_path, {"default_model_filename": "vad.onnx"})
