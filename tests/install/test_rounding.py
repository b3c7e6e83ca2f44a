"""A model in int8 or float16 is its float32 original, rounded: sound ones pass, broken do not."""

from __future__ import annotations

import shutil

import numpy as np
import onnx
import pytest
from onnx import numpy_helper

from asr_server.graphs import PrepareError, convert, prepare
from asr_server.graphs.closeness import soft_error_rate
from asr_server.graphs.rounded_weights import check_rounded_weights
from asr_server.install.rounding import check_scores, check_weights
from asr_server.places import SAMPLES
from asr_server.recordings import read_features
from tests.serving import RANDOM_MODELS

PUBLISHED = [
    "bicif_paraformer-tiny-seed0",
    "sensevoice-tiny-seed0",
    "fsmn_vad-tiny-seed0",
    "ct_transformer-tiny-seed0",
    "paraformer_online-tiny-seed0",
]
FAULTS = {
    "scale": lambda weight: weight * 1.5,
    "zeroed": lambda weight: weight * 0,
    "transposed": lambda weight: weight.T,
}


def change(source, target, ending, fault):
    """Write a graph whose middle matrix, of those with this ending of their names, is another."""
    model = onnx.load(str(source))
    names = [
        tensor
        for tensor in model.graph.initializer
        if tensor.name.endswith(ending) and len(tensor.dims) == (1 if "scale" in ending else 2)
    ]
    tensor = names[len(names) // 2]
    values = numpy_helper.to_array(tensor)
    changed = np.ascontiguousarray(fault(values).astype(values.dtype))
    tensor.CopyFrom(numpy_helper.from_array(changed, tensor.name))
    onnx.save(model, str(target))


@pytest.mark.parametrize("name", PUBLISHED)
def test_published_int8_is_the_float32_graph_rounded(name):
    folder = RANDOM_MODELS / name
    assert check_rounded_weights(folder / "model.onnx", folder / "model_quant.onnx") > 15


@pytest.mark.parametrize("name", PUBLISHED)
@pytest.mark.parametrize("fault", FAULTS)
def test_one_wrong_matrix_of_published_int8_is_refused(name, fault, tmp_path):
    folder = RANDOM_MODELS / name
    broken = tmp_path / "model_quant.onnx"
    ending = "_scale" if fault == "scale" else "_quantized"
    change(folder / "model_quant.onnx", broken, ending, FAULTS[fault])
    with pytest.raises(PrepareError, match="not the float32 graph in another precision"):
        check_weights(folder / "model.onnx", broken)


def test_another_export_s_names_say_nothing(tmp_path):
    first, second = (RANDOM_MODELS / f"sensevoice-{x}" for x in ("tiny-seed0", "small-seed1"))
    assert check_rounded_weights(first / "model.onnx", second / "model.onnx") == 0


@pytest.mark.parametrize(("precision", "recipe"), [("int8", "signed"), ("fp16", "signed")])
def test_scores_of_the_original_tell_a_converted_graph_from_a_broken_one(
    precision, recipe, tmp_path
):
    folder = RANDOM_MODELS / "sensevoice-tiny-seed0"
    features = read_features(sorted(SAMPLES.glob("*.wav"))[:3], folder / "am.mvn")
    prepared, converted = tmp_path / "prepared.onnx", tmp_path / "converted.onnx"
    prepare(folder / "model.onnx", prepared)
    convert(prepared, converted, precision, features, recipe=recipe)
    assert check_scores(folder / "model.onnx", converted, features) < 0.01
    other = tmp_path / "other"
    shutil.copytree(RANDOM_MODELS / "sensevoice-small-seed1", other)
    with pytest.raises(PrepareError, match="of the tokens are wrong, expected at most 10%"):
        check_scores(other / "model.onnx", converted, features)


def test_a_token_almost_as_good_costs_almost_nothing_and_any_other_a_whole_one():
    log_probs = np.log([[0.5, 0.49, 0.01], [0.98, 0.01, 0.01]])
    expected = [{"log_probs": log_probs}]

    def rate(*ids):
        return soft_error_rate(expected, [{"token_ids": np.array(ids)}])

    assert rate(0, 0) == 0
    assert 0 < rate(1, 0) < 0.02
    assert rate(0, 2) > 0.49
    assert rate(0) == rate(0, 0, 0) * 1.5 == 0.5
