"""What installing writes into `config.pbtxt`: warm-up and the graph for GPUs."""

from __future__ import annotations

import shutil
from dataclasses import asdict

import numpy as np
import onnx
import pytest
from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from asr_server.commands.configure_gpu import main as configure_gpu
from asr_server.commands.configure_gpu import onnx_configs
from asr_server.graphs.graph import Graph
from asr_server.graphs.recipes import find_kind
from asr_server.graphs.session import Session
from asr_server.graphs.warm_up import warm_up_inputs
from asr_server.install import install
from asr_server.install.into_repository import write_warm_up
from asr_server.models import KINDS, copy_repository
from asr_server.models.config_blocks import (
    carry_installed,
    set_block,
    set_gpu_file,
    set_tensors,
    set_warm_up,
    without_installed,
)
from asr_server.places import ROOT
from tests import prepared_models
from tests.serving import RANDOM_MODELS

CONFIG = 'name: "m"\n\n# >>> configure_gpu\n# x\n# <<< configure_gpu\n'
INPUTS = {
    "speech": {"data_type": "TYPE_FP32", "dims": [83, 560], "value": 0},
    "lengths": {"data_type": "TYPE_INT32", "dims": [1], "value": 83},
}


def parse(text):
    return text_format.Parse(text, model_config_pb2.ModelConfig())


def test_blocks_come_stay_in_place_and_go():
    first = set_gpu_file(set_warm_up(CONFIG, INPUTS), True)
    assert set_gpu_file(set_warm_up(first, INPUTS), True) == first
    other = set_warm_up(first, {"speech": INPUTS["speech"]})
    assert other.index("# >>> warm-up") == first.index("# >>> warm-up")
    assert "lengths" not in other
    assert without_installed(first) == without_installed(CONFIG) == CONFIG
    assert set_warm_up(CONFIG, {}) == set_gpu_file(CONFIG, False) == CONFIG
    assert set_block(first, "configure_gpu", "y").count("# >>> configure_gpu") == 1


def test_what_is_written_is_a_configuration():
    text = set_gpu_file(set_warm_up('name: "m"\n', INPUTS), True)
    config = parse(text)
    assert set(config.cc_model_filenames.values()) == {"model_gpu.onnx"}
    assert {"7.0", "7.5", "8.0", "8.6", "8.9", "9.0", "10.0", "12.0"} <= set(
        config.cc_model_filenames
    )
    (sample,) = config.model_warmup
    assert sample.inputs["speech"].zero_data
    assert list(sample.inputs["speech"].dims) == [83, 560]
    assert sample.inputs["lengths"].input_data_file == "lengths"


def test_a_newer_configuration_keeps_what_was_installed():
    old = set_gpu_file(set_warm_up(CONFIG, INPUTS), True)
    embedded = set_warm_up('name: "newer"\n', {"speech": INPUTS["speech"]})
    carried = carry_installed(old, embedded)
    assert 'name: "newer"' in carried
    assert carried == set_gpu_file(set_warm_up('name: "newer"\n', INPUTS), True)
    assert carry_installed(CONFIG, embedded) == 'name: "newer"\n'


@pytest.mark.parametrize("kind", KINDS.values(), ids=lambda kind: kind.name)
def test_the_shipped_configurations_are_those_of_the_embedded_models(kind, tmp_path):
    """Serving from a checkout changes no tracked file."""
    for exported in kind.graphs:
        source = kind.embedded if kind.embedded.is_dir() else RANDOM_MODELS / WIDE[kind.name]
        graph = Graph(onnx.load(str(source / f"{exported.stem}.onnx")))
        inputs = warm_up_inputs(find_kind(graph), graph)
        shipped = ROOT / kind.repository / exported.model
        text = (shipped / "config.pbtxt").read_text()
        assert set_warm_up(text, {name: asdict(each) for name, each in inputs.items()}) == text
        (tmp_path / exported.model).mkdir()
        write_warm_up(tmp_path / exported.model, inputs)
        written = {path.name: path.read_bytes() for path in tmp_path.glob(f"{exported.model}/*/*")}
        assert written == {path.name: path.read_bytes() for path in shipped.glob("warmup/*")}
        assert written or not any(each.value for each in inputs.values())


def test_the_shipped_tensors_are_those_of_the_embedded_model(tmp_path):
    kind = KINDS["paraformer-online"]
    prepared_models.put(kind, kind.embedded, tmp_path)
    for graph in kind.graphs:
        installed = tmp_path / graph.model / "config.pbtxt"
        shipped = ROOT / kind.repository / graph.model / "config.pbtxt"
        assert installed.read_text() == shipped.read_text()


def test_tensors_that_a_configuration_has_stay():
    output = {"y": {"data_type": "TYPE_FP32", "dims": [-1, 7]}}
    tensors = {"input": {"x": {"data_type": "TYPE_INT32", "dims": [1]}}, "output": output}
    declared = parse(set_tensors(CONFIG, tensors))
    assert [list(each.dims) for each in (*declared.input, *declared.output)] == [[1], [-1, 7]]
    own = f"input [ ]\n{CONFIG}"
    assert "TYPE_INT32" not in set_tensors(own, tensors)
    assert list(parse(set_tensors(own, tensors)).output[0].dims) == [-1, 7]
    assert set_tensors(set_tensors(CONFIG, tensors), {}) == CONFIG


WIDE = {
    "paraformer": "contextual_paraformer-tiny-seed0",
    "sensevoice": "sensevoice-tiny-seed0",
    "paraformer-online": "paraformer_online-tiny-seed0",
    "vad": "fsmn_vad-tiny-seed0",
    "punctuation": "ct_transformer-tiny-seed0",
    "punctuation-online": "ct_transformer_streaming-tiny-seed0",
    "speaker": "campplus-tiny-seed0",
    "aligner": "monotonic_aligner-tiny-seed0",
}


LENGTH_OF = {
    "speech_lengths": "speech",
    "window_lengths": "positions",
    "hidden_lengths": "hidden",
    "embeds_lengths": "acoustic_embeds",
    "word_lengths": "word_ids",
}


@pytest.mark.parametrize("name", WIDE)
def test_a_warm_up_fits_the_model_and_computes_all_of_it(name, tmp_path):
    """With other widths than the embedded model's; lengths as stated, else nothing is computed."""
    kind = KINDS[name]
    repository = copy_repository(kind, tmp_path / "repository")
    install(kind, RANDOM_MODELS / WIDE[name], repository)
    for graph in kind.graphs:
        folder = repository / graph.model
        config = parse((folder / "config.pbtxt").read_text())
        (sample,) = config.model_warmup
        scalars = {each.name for each in config.input if each.HasField("reshape")}
        feed = {}
        for key, each in sample.inputs.items():
            dtype = np.float32 if each.data_type == model_config_pb2.TYPE_FP32 else np.int32
            array = np.zeros(tuple(each.dims), dtype)
            if each.input_data_file:
                array = np.fromfile(folder / "warmup" / each.input_data_file, dtype)
            feed[key] = array if key in scalars else array.reshape(1, *each.dims)
            if key in LENGTH_OF:
                assert array.tolist() == [sample.inputs[LENGTH_OF[key]].dims[0]]
        outputs = Session(folder / "1" / "model.onnx", 1, optimise=True)(feed)
        assert all(array.size for array in outputs.values())


def test_tensorrt_takes_the_graph_without_the_operators_of_onnx_runtime(tmp_path):
    kind = KINDS["vad"]
    repository = copy_repository(kind, tmp_path / "repository")
    install(kind, kind.embedded, repository)
    folder = repository / kind.encoder
    (path,) = onnx_configs(repository)
    assert configure_gpu(["cuda", str(repository)]) == 0
    assert not parse(path.read_text()).cc_model_filenames  # there is no such graph
    shutil.copy(folder / "1" / "model.onnx", folder / "1" / "model_gpu.onnx")
    assert configure_gpu(["cuda", str(repository)]) == 0
    with_file = path.read_text()
    assert parse(with_file).cc_model_filenames["9.0"] == "model_gpu.onnx"
    assert configure_gpu(["tensorrt", str(repository)]) == 0
    assert not parse(path.read_text()).cc_model_filenames
    assert configure_gpu(["cuda", str(repository)]) == 0
    assert parse(path.read_text()) == parse(with_file)
