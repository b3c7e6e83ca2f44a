"""The user's copy of the model repositories, and what is served from one that is shared."""

from __future__ import annotations

import json
import shutil

import pytest

from asr_server import places
from asr_server.commands.serve import install_missing
from asr_server.errors import InstallError
from asr_server.install import install
from asr_server.models import (
    KINDS,
    MANIFEST,
    default_repositories,
    empty_kinds,
    is_installed,
    missing_kinds,
    models_without,
    outdated_kinds,
    set_up_home,
)
from asr_server.models import home as home_module
from asr_server.models.config_blocks import set_gpu_file
from tests.serving import RANDOM_MODELS

CONFIG = "model_repo_sensevoice/sensevoice_encoder/config.pbtxt"
PROGRAM = "model_repo_auxiliary/vad/1/model.py"


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv(places.HOME_VARIABLE, str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def shipped(tmp_path, monkeypatch):
    """A copy of what comes along, which a newer version may change."""
    folder = tmp_path / "shipped"
    for name in {kind.repository for kind in KINDS.values()}:
        ignored = shutil.ignore_patterns("*.onnx", MANIFEST)
        shutil.copytree(places.ROOT / name, folder / name, ignore=ignored)
    monkeypatch.setattr(home_module, "ROOT", folder)
    return folder


def test_in_a_checkout_everything_is_at_its_root(monkeypatch):
    monkeypatch.delenv(places.HOME_VARIABLE, raising=False)
    assert places.home() == places.ROOT
    assert places.store() == places.ROOT / ".cache" / "models"
    said = []
    set_up_home(said.append)
    assert not said


@pytest.mark.parametrize(
    ("data", "expected"),
    [("", "{home}/.local/share/triton-asr"), ("/data", "/data/triton-asr"), ("data", None)],
)
def test_from_a_wheel_it_is_among_the_user_s_data(monkeypatch, tmp_path, data, expected):
    monkeypatch.delenv(places.HOME_VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", data)
    monkeypatch.setattr(places, "IS_CHECKOUT", False)
    expected = expected or "{home}/.local/share/triton-asr"  # a relative one does not count
    assert str(places.home()) == expected.format(home=tmp_path)
    assert places.store() == places.home() / "models"


def test_the_repositories_are_copied_once(home, shipped):
    said = []
    set_up_home(said.append)
    assert said == [f"model repositories are in {home}"]
    for kind in KINDS.values():
        for model in kind.models:
            assert (home / kind.repository / model / "config.pbtxt").is_file()
            assert (home / kind.repository / model / "1").is_dir()
    assert (home / PROGRAM).read_bytes() == (shipped / PROGRAM).read_bytes()
    set_up_home(said.append)
    assert len(said) == 1


def test_a_newer_version_refreshes_what_describes_the_models_only(home, shipped):
    set_up_home(lambda text: None)
    weights = (home / CONFIG).parent / "1" / "model.onnx"
    hotwords = (home / CONFIG).parent / "hotwords.txt"
    weights.write_bytes(b"weights")
    hotwords.write_text("hello")
    (home / CONFIG).write_text("# mine")
    said = []
    set_up_home(said.append)
    assert (home / CONFIG).read_text() == "# mine"  # nothing newer to put there
    for name in (CONFIG, PROGRAM):
        (shipped / name).write_text("# newer")
    set_up_home(said.append)
    assert (home / CONFIG).read_text() == (home / PROGRAM).read_text() == "# newer"
    assert (home / f"{CONFIG}.old").read_text() == "# mine"
    assert not (home / f"{PROGRAM}.old").exists()
    assert weights.read_bytes() == b"weights"
    assert hotwords.read_text() == "hello"
    assert said == [
        f"{home / CONFIG}: replaced by this version's; yours is now config.pbtxt.old",
        f"model repositories are in {home}",
    ]


def test_what_install_wrote_into_a_configuration_stays_in_a_newer_version(home, shipped):
    set_up_home(lambda text: None)
    assert (home / CONFIG).parent.joinpath("warmup", "speech_lengths").is_file()
    installed = set_gpu_file((home / CONFIG).read_text(), True)
    (home / CONFIG).write_text(installed)
    (shipped / CONFIG).write_text("# newer\n" + (shipped / CONFIG).read_text())
    said = []
    set_up_home(said.append)
    assert (home / CONFIG).read_text() == "# newer\n" + installed
    assert said == [f"model repositories are in {home}"]  # no change of the user's


def test_what_was_lost_is_copied_again(home, shipped):
    set_up_home(lambda text: None)
    (home / PROGRAM).unlink()
    shutil.rmtree((home / CONFIG).parent)
    set_up_home(lambda text: None)
    assert (home / PROGRAM).is_file()
    assert (home / CONFIG).is_file()


def test_a_home_that_cannot_be_written_is_named(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv(places.HOME_VARIABLE, str(tmp_path / "file" / "home"))
    with pytest.raises(InstallError, match=r"file/home: cannot be written \(Not a directory\)"):
        set_up_home(lambda text: None)


def test_in_a_shared_repository_the_embedded_models_fill_the_gaps(home, capsys):
    """Of the three kinds in `model_repo_auxiliary` one is installed."""
    set_up_home(lambda text: None)
    vad = KINDS["vad"]
    repository = home / vad.repository
    install(vad, RANDOM_MODELS / "fsmn_vad-tiny-seed0", repository)
    installed = (repository / "vad_encoder" / "1" / "model.onnx").read_bytes()
    assert repository in default_repositories()
    missing = [kind.name for kind in missing_kinds([repository])]
    assert missing == ["punctuation", "punctuation-online", "speaker"]
    install_missing([repository])
    said = capsys.readouterr().out
    assert all(f"installing the embedded {name} model" in said for name in missing)
    assert all(
        is_installed(kind, repository)
        for kind in KINDS.values()
        if kind.repository == vad.repository and kind.embedded.is_dir()
    )
    assert (repository / "vad_encoder" / "1" / "model.onnx").read_bytes() == installed
    assert missing_kinds([home / "elsewhere"]) == []


def test_models_in_an_older_format_are_prepared_anew_or_named(home, capsys):
    set_up_home(lambda text: None)
    vad, marks = KINDS["vad"], KINDS["punctuation"]
    repository = home / vad.repository
    install_missing([repository])
    install(marks, RANDOM_MODELS / "ct_transformer-tiny-seed0", repository)
    capsys.readouterr()

    def make_older(kind):
        path = repository / kind.encoder / "1" / "manifest.json"
        manifest = json.loads(path.read_text())
        del manifest["format"]
        path.write_text(json.dumps(manifest))

    make_older(vad)
    install_missing([repository])
    assert capsys.readouterr().out.startswith("installing the embedded vad model")
    assert outdated_kinds([repository]) == []
    make_older(marks)
    with pytest.raises(InstallError, match=r"an older version.*: punctuation; install them again"):
        install_missing([repository])
    assert outdated_kinds([repository]) == [marks]


def test_a_model_without_a_file_that_a_newer_version_has_is_put_in_anew_or_named(home, capsys):
    set_up_home(lambda text: None)
    vad = KINDS["vad"]
    repository = home / vad.repository
    install_missing([repository])
    capsys.readouterr()
    table = repository / "vad" / "1" / "am.mvn"
    table.unlink()
    install_missing([repository])
    assert capsys.readouterr().out.startswith("installing the embedded vad model")
    assert table.is_file()
    install(vad, RANDOM_MODELS / "fsmn_vad-tiny-seed0", repository)
    table.unlink()
    with pytest.raises(InstallError, match=r"an older version.*: vad; install them again"):
        install_missing([repository])


def test_what_is_there_by_hand_is_loaded_and_what_is_empty_is_not(home):
    set_up_home(lambda text: None)
    repository = home / "model_repo_auxiliary"
    assert [kind.name for kind in empty_kinds([repository])] == [
        "vad",
        "punctuation",
        "punctuation-online",
        "speaker",
        "aligner",
    ]
    (repository / "vad_encoder" / "1" / "model.onnx").write_bytes(b"without a manifest")
    empty = empty_kinds([repository])
    assert models_without(empty, [repository]) == ["vad", "vad_encoder"]
    assert len(models_without([], [repository])) == 10
    assert empty_kinds([home / "elsewhere"]) == []
