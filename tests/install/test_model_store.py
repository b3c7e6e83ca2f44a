"""Keeping several models, and putting one in place at once or not at all."""

from __future__ import annotations

import json
import os

import pytest

from asr_server.errors import InstallError
from asr_server.install import read_manifest
from asr_server.install import store as store_module
from asr_server.install.store import find_model, list_models, new_entry, put_in_place
from asr_server.models import MANIFEST, prepared_format


@pytest.fixture
def repository(tmp_path):
    """Two models, one with code."""
    for model in ("encoder", "scoring"):
        (tmp_path / "repository" / model / "1").mkdir(parents=True)
        (tmp_path / "repository" / model / "config.pbtxt").write_text(model)
    (tmp_path / "repository/scoring/1/model.py").write_text("code")
    return tmp_path / "repository"


@pytest.fixture
def store(tmp_path):
    return tmp_path / "store"


def fill(entry, name, extra=()):
    """Weights of a model, its name in each."""
    for path in ("encoder/1/model.onnx", "scoring/1/tokens.json", *extra):
        (entry / path).parent.mkdir(parents=True, exist_ok=True)
        (entry / path).write_text(name)
    manifest = {"kind": "paraformer", "name": name, "format": prepared_format("paraformer")}
    (entry / "encoder/1" / MANIFEST).write_text(json.dumps(manifest))


def add(store, name, extra=()):
    with new_entry(store, "paraformer", name) as entry:
        fill(entry, name, extra)
    return find_model(store, "paraformer", name)


def contents(repository):
    return {
        path.relative_to(repository).as_posix(): path.read_text()
        for path in repository.rglob("*")
        if path.is_file()
    }


def test_a_model_of_an_older_version_is_not_put_in_place(store):
    entry = add(store, "older").directory / "encoder/1" / MANIFEST
    entry.write_text(json.dumps({"kind": "paraformer", "name": "older"}))
    with pytest.raises(InstallError, match="older: prepared by an older version"):
        find_model(store, "paraformer", "older")


def test_models_are_kept_and_switched(store, repository):
    first, second = add(store, "first", ["scoring/1/extra.txt"]), add(store, "second")
    assert list_models(store) == [first, second]
    put_in_place(first.directory, repository)
    assert read_manifest(repository, "paraformer")["name"] == "first"
    assert contents(repository)["scoring/1/extra.txt"] == "first"
    put_in_place(second.directory, repository)
    after = contents(repository)
    assert read_manifest(repository, "paraformer")["name"] == "second"
    assert after["encoder/1/model.onnx"] == after["scoring/1/tokens.json"] == "second"
    assert "scoring/1/extra.txt" not in after
    assert after["scoring/1/model.py"] == "code"
    assert after["encoder/config.pbtxt"] == "encoder"
    assert not list(repository.glob(".install-*"))
    assert contents(first.directory)["encoder/1/model.onnx"] == "first"


@pytest.mark.parametrize("moves", range(7))
def test_a_failure_at_any_move_leaves_the_former_model(store, repository, monkeypatch, moves):
    put_in_place(add(store, "first").directory, repository)
    before = contents(repository)
    second = add(store, "second")
    right, done = os.replace, []

    def fail(source, target):
        if len(done) == moves:
            monkeypatch.setattr(store_module.os, "replace", right)
            raise OSError("disk")
        done.append(target)
        right(source, target)

    monkeypatch.setattr(store_module.os, "replace", fail)
    if moves < 6:  # three files leave, three arrive
        with pytest.raises(OSError, match="disk"):
            put_in_place(second.directory, repository)
        assert contents(repository) == before
    else:
        put_in_place(second.directory, repository)
        assert contents(repository) != before


def test_a_configuration_changes_with_the_graphs_or_not_at_all(store, repository, monkeypatch):
    put_in_place(add(store, "first").directory, repository)
    before = contents(repository)
    second = add(store, "second", ["encoder/1/model_gpu.onnx"])
    right, done = os.replace, []

    def fail(source, target):
        done.append(target)
        if target == repository / "encoder/1" / MANIFEST:  # arrives last
            monkeypatch.setattr(store_module.os, "replace", right)
            raise OSError("disk")
        right(source, target)

    monkeypatch.setattr(store_module.os, "replace", fail)
    with pytest.raises(OSError, match="disk"):
        put_in_place(second.directory, repository)
    assert repository / "encoder/config.pbtxt" in done
    assert contents(repository) == before
    put_in_place(second.directory, repository)
    assert "cc_model_filenames" in contents(repository)["encoder/config.pbtxt"]
    put_in_place(store / "paraformer" / "first", repository)
    assert contents(repository)["encoder/config.pbtxt"].strip() == "encoder"


def test_a_file_system_without_links_gets_copies(store, repository, monkeypatch):
    def refuse(*_):
        raise OSError("no links")

    monkeypatch.setattr(store_module.os, "link", refuse)
    put_in_place(add(store, "first").directory, repository)
    assert contents(repository)["encoder/1/model.onnx"] == "first"


def test_a_repository_without_the_models_is_refused(store, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(InstallError, match="expected models encoder, scoring, not found"):
        put_in_place(add(store, "first").directory, tmp_path / "empty")


def test_an_entry_appears_only_when_it_is_complete(store):
    first = add(store, "first")
    with pytest.raises(RuntimeError), new_entry(store, "paraformer", "first") as entry:
        fill(entry, "broken")
        raise RuntimeError
    assert list_models(store) == [first]
    assert contents(first.directory)["encoder/1/model.onnx"] == "first"
    assert [path.name for path in (store / "paraformer").iterdir()] == ["first"]


def test_an_entry_of_the_same_name_is_replaced(store):
    add(store, "first", ["scoring/1/extra.txt"])
    assert "scoring/1/extra.txt" not in contents(add(store, "first").directory)


@pytest.mark.parametrize("name", ["", ".hidden", "a/b"])
def test_names_that_are_no_folders_are_refused(store, name):
    with (
        pytest.raises(InstallError, match="expected a name"),
        new_entry(store, "paraformer", name),
    ):
        pass


def test_unknown_models_are_named(store):
    add(store, "first")
    with pytest.raises(InstallError, match="no paraformer model other; there are: first"):
        find_model(store, "paraformer", "other")
    with pytest.raises(InstallError, match="no vad model first; there are: none"):
        find_model(store, "vad", "first")
