"""The number of processes for the parts around the encoders, and the configurations that get it."""

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
def test_counts_of_streaming(cores, gpus, search, front_end):
    counts = count_instances(cores, gpus)
    assert (counts[SEARCH], counts[FRONT_END]) == (search, front_end)


@pytest.mark.parametrize(
    ("cores", "gpus", "front_end", "scoring"), [(2, 1, 1, 1), (16, 1, 2, 2), (96, 4, 3, 12)]
)
@pytest.mark.parametrize("model", ["sensevoice", "paraformer"])
def test_counts_of_whole_recordings(model, cores, gpus, front_end, scoring):
    counts = count_instances(cores, gpus)
    assert counts[f"{model}_feature_extractor"] == front_end  # of each GPU
    assert counts[f"{model}_scoring"] == scoring
    assert f"{model}_scoring" not in count_instances(cores, 0)


def test_each_count_is_left_to_serving_in_its_configuration(tmp_path):
    count = count_instances(96, 4)
    own = [ONLINE, ROOT / "model_repo_sensevoice", ROOT / "model_repo_paraformer_offline"]
    linked = with_instances(own, count, tmp_path)
    for model, number in count.items():
        (folder,) = (one / model for one in linked if (one / model).is_dir())
        assert f"count: {number} " in config(folder)


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
