"""Exports whose attention masks are looked up in a table of 512 frames, 30.7 s."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from asr_core.features import LIMITS_FILE, load_feature_service
from asr_server.install import install
from asr_server.models import KINDS, copy_repository
from tests.graphs.test_prepare_onnx_refusals import bake_mask_tables, save_edited
from tests.recordings import cut
from tests.serving import RANDOM_MODELS

SOURCE = RANDOM_MODELS / "paraformer-tiny-seed0"
KIND = KINDS["paraformer"]


@pytest.fixture
def older(tmp_path):
    """A model with such a graph."""
    directory = tmp_path / "older"
    shutil.copytree(SOURCE, directory)
    save_edited(SOURCE / "model.onnx", directory / "model.onnx", bake_mask_tables)
    return directory


@pytest.fixture
def repository(tmp_path):
    return copy_repository(KIND, tmp_path / KIND.repository)


def extract(repository, seconds):
    folder = repository / "paraformer_feature_extractor" / "1"
    samples = cut(seconds, 0)
    service = load_feature_service(folder, max_audio_seconds=120)
    return service.answer(samples[None], np.array([[len(samples)]], np.int32))["speech"]


def test_the_limit_is_lifted_where_the_graph_is_understood(older, repository):
    (report,) = install(KIND, older, repository)
    assert "512 frames (30.7 s)" in report.messages[0]
    assert len(extract(repository, 40.0)[0]) > 512


def test_the_limit_is_enforced_where_the_graph_is_left_as_it_is(older, repository):
    install(KIND, older, repository, row_by_row=True)
    limits = repository / "paraformer_feature_extractor" / "1" / LIMITS_FILE
    assert json.loads(limits.read_text()) == {"max_frames": 512}
    assert len(extract(repository, 30.5)[0]) <= 512
    with pytest.raises(
        ValueError,
        match=r"row 0: expected at most 30\.7 s, got 40\.0 s: the attention masks of the installed "
        "model end at 512 frames; export it again",
    ):
        extract(repository, 40.0)
    install(KIND, SOURCE, repository)
    assert not limits.exists()
