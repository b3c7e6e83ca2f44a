"""Paraformer's ids to words."""

import json
from dataclasses import replace

import numpy as np
import pytest

from asr_core.paraformer import load_scoring
from asr_core.paraformer.scoring import ParaformerRow, ParaformerScoring
from asr_core.text import join_words

PIECES = ["<blank>", "<s>", "</s>", "你", "好", "he@@", "llo", "<unk>"]


def row(*ids):
    zeros = np.zeros(30, np.float32)
    best, scores = np.array(ids, np.int32), np.full(len(ids), -0.1, np.float32)
    return ParaformerRow(best, scores, zeros, zeros, best[:, None], scores[:, None])


@pytest.mark.parametrize(
    ("ids", "bias", "text"),
    [
        ([3, 4, 2], 1, "你好"),
        ([3, 4, 2], 0, "你好"),
        ([3, 4], 1, "你"),  # the step counted for the end of the sentence is not text
        ([5, 6, 2], 1, "hello"),
        ([3, 0, 7, 1, 4, 2], 1, "你好"),
        ([2], 1, ""),
        ([], 1, ""),
    ],
)
def test_text(ids, bias, text):
    assert join_words(ParaformerScoring(PIECES, bias)(row(*ids))) == text


def test_steps_that_a_search_leaves_empty_keep_the_times_of_the_others():
    """No token behind the text takes their place, as one does where the model itself says so."""
    alphas = np.zeros(60, np.float32)
    fires = np.zeros(60, np.float32)
    fires[[5, 15, 25, 35]] = 1.0
    full = replace(row(3, 4, 7, 4), us_alphas=alphas, us_cif_peak=fires)
    scoring = ParaformerScoring(PIECES, 1)
    whole = scoring(full)
    left = scoring(full, lambda ids, scores: (np.array([3, 0, 4], np.int32), scores[:, 0]))
    assert join_words(left) == "你好"
    assert left[0] == whole[0]
    assert left[1].start_ms > whole[1].start_ms + 100
    same = scoring(full, lambda ids, scores: (ids[:, 0], scores[:, 0]))
    assert same == whole


def test_vocabulary_and_bias_come_from_the_models_files(tmp_path):
    (tmp_path / "tokens.json").write_text(json.dumps(PIECES))
    (tmp_path / "config.yaml").write_text("model_conf: {predictor_bias: 1}\n")
    assert join_words(load_scoring(tmp_path)(row(3, 4, 4))) == "你好"


@pytest.mark.parametrize("content", ['{"a": 1}', "[1, 2]"])
def test_a_vocabulary_of_another_form_is_refused(tmp_path, content):
    (tmp_path / "tokens.json").write_text(content)
    (tmp_path / "config.yaml").write_text("{}\n")
    with pytest.raises(ValueError, match=r"tokens\.json: expected a list of strings"):
        load_scoring(tmp_path)
