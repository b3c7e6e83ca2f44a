"""The number of processes for the parts of streaming, and the configurations that get it."""

from __future__ import annotations

from pathlib import Path

import pytest

from asr_server.places import ROOT
from asr_server.run import count_instances
from asr_server.run.instances import with_instances

SEARCH, FRONT_END = "streaming_cif_search", "streaming_feature_extractor"
ONLINE = ROOT / "model_repo_paraformer_online"


@pytest.mark.parametrize(
    ("cores", "gpus", "search", "front_end"),
    [(1, 0, 1, 2), (2, 0, 1, 2), (64, 0, 8, 8), (2, 1, 1, 2), (16, 1, 4, 4), (96, 8, 3, 24)],
)
def test_counts(cores, gpus, search, front_end):
    assert count_instances(cores, gpus) == {SEARCH: search, FRONT_END: front_end}


def config(model: Path) -> str:
    return (model / "config.pbtxt").read_text(encoding="utf-8")


def test_the_repository_itself_stays_as_it_is(tmp_path):
    before = config(ONLINE / SEARCH), config(ONLINE / FRONT_END)
    (linked,) = with_instances([ONLINE], {SEARCH: 5, FRONT_END: 7}, tmp_path)
    assert (config(ONLINE / SEARCH), config(ONLINE / FRONT_END)) == before
    assert "instance_group [ { count: 5 kind: KIND_AUTO } ]" in config(linked / SEARCH)
    assert "instance_group [ { count: 7 kind: KIND_CPU } ]" in config(linked / FRONT_END)
    for path in ONLINE.rglob("*"):
        if path.name != "config.pbtxt":
            assert (linked / path.relative_to(ONLINE)).exists()
    assert config(linked / "streaming_encoder") == config(ONLINE / "streaming_encoder")


def test_a_count_of_the_users_own_stays(tmp_path):
    repository = tmp_path / "mine"
    (repository / SEARCH).mkdir(parents=True)
    (repository / SEARCH / "config.pbtxt").write_text("instance_group [ { count: 3 } ]\n")
    assert with_instances([repository], {SEARCH: 5}, tmp_path / "links") == [repository]
