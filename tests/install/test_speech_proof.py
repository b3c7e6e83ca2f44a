"""A proof that can fail: tables against graphs, and recordings against what is said in them."""

from __future__ import annotations

import json
import shutil

import numpy as np
import onnx
import pytest
import soundfile
from onnx import external_data_helper

from asr_server.commands.install import main
from asr_server.graphs import PrepareError
from asr_server.graphs.external_data import external_files, load_model
from asr_server.install import read_manifest
from asr_server.install.funasr_reference import end_loose_pieces
from asr_server.install.tables import check_tables
from asr_server.models import KINDS, copy_repository
from asr_server.models.examples import example_text
from asr_server.places import EMBEDDED_MODELS, SAMPLES
from tests.serving import RANDOM_MODELS

ZH_1 = (SAMPLES / "zh_1.wav", "帮我把报告发送给王芳")
ZH_3 = (SAMPLES / "zh_3.wav", "李杰什么时候去南京")
"""Which the embedded Paraformer reads without an error."""


@pytest.fixture
def model(tmp_path):
    """A copy of the embedded Paraformer, which nobody knows as such."""
    directory = tmp_path / "model"
    shutil.copytree(EMBEDDED_MODELS / "paraformer", directory)
    return directory


def install(tmp_path, kind, *arguments):
    repository = copy_repository(KINDS[kind], tmp_path / "repository")
    places = ("--store", tmp_path / "store", "--repository", repository)
    status = main([str(word) for word in (kind, *arguments, *places)])
    return status, read_manifest(repository, kind)


def change_tokens(model, change):
    path = model / "tokens.json"
    tokens = json.loads(path.read_text(encoding="utf-8"))
    path.write_text(json.dumps(change(tokens), ensure_ascii=False), encoding="utf-8")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda tokens: tokens[:100] + tokens[101:], "expected 378 entries, as the graph has; got"),
        (lambda tokens: tokens[:-20], "expected 378 entries, as the graph has; got 358"),
        (lambda tokens: [*tokens, *"abc"], "expected 378 entries, as the graph has; got 381"),
        (lambda tokens: dict.fromkeys(tokens, 0), "expected a list of strings, the vocabulary"),
    ],
    ids=["one in the middle", "twenty", "three more", "object"],
)
def test_a_vocabulary_that_is_not_the_graph_s_is_refused_in_a_line(
    model, tmp_path, capsys, change, message
):
    change_tokens(model, change)
    status, manifest = install(tmp_path, "paraformer", "--from", model)
    error = capsys.readouterr().err
    assert status == 1
    assert manifest is None
    assert message in error
    assert error.count("\n") == 1


@pytest.mark.parametrize("kind", [name for name, kind in KINDS.items() if kind.embedded.is_dir()])
def test_the_tables_of_every_embedded_model_fit(kind):
    names = [f"{graph.stem}.onnx" for graph in KINDS[kind].graphs]
    check_tables(KINDS[kind], KINDS[kind].embedded, names)


def test_an_entry_exchanged_is_heard(model, tmp_path, capsys):
    change_tokens(model, lambda tokens: [*tokens[:100], *tokens[101:], "x"])
    status, _ = install(tmp_path, "paraformer", "--from", model, "--proof", *ZH_1)
    assert status == 1
    assert "the model does not read what is said" in capsys.readouterr().err


def test_one_wrong_text_is_not_made_up_for_by_the_others(tmp_path, capsys):
    wrong = ("--proof", ZH_1[0], "完全不同的一句话")
    status, _ = install(tmp_path, "paraformer", *wrong)  # and the embedded model's own samples
    assert status == 1
    told = capsys.readouterr().err
    assert "50% in each recording" in told and "完全不同的一句话" in told


def test_a_recording_that_is_not_there_is_named(tmp_path, capsys):
    assert install(tmp_path, "paraformer", "--proof", "missing.wav", "x")[0] == 1
    assert "missing.wav: no such file" in capsys.readouterr().err


def test_what_is_not_proved_by_speech_says_so(tmp_path, capsys):
    source = RANDOM_MODELS / "paraformer-tiny-seed0"
    status, manifest = install(tmp_path, "paraformer", "--from", source)
    assert status == 0
    (line,) = [x for x in capsys.readouterr().out.splitlines() if x.startswith("verified")]
    assert "; not proved by speech: " in line
    assert manifest["proved_by_speech"] is None


def test_marks_at_the_start_of_text_files_and_given_proofs_are_no_hindrance(model, tmp_path):
    for name in ("tokens.json", "config.yaml", "am.mvn"):
        content = (model / name).read_bytes().replace(b"\n", b"\r\n")
        (model / name).write_bytes(b"\xef\xbb\xbf" + content)
    status, manifest = install(tmp_path, "paraformer", "--from", model, "--proof", *ZH_3)
    assert status == 0
    proof = manifest["proved_by_speech"]
    assert [reading["read"] for reading in proof["readings"]] == [ZH_3[1]]
    assert proof["error_rate"] == 0 < proof["highest_error_rate"]


def test_the_example_that_a_model_ships_must_be_read(model, tmp_path, capsys, monkeypatch):
    # The hubs' recording is not ours to ship: one of the same length takes its place.
    samples = np.resize(soundfile.read(ZH_1[0], dtype="float32")[0], 88_800)
    (model / "example").mkdir()
    soundfile.write(model / "example" / "asr_example.wav", samples, 16000)
    assert install(tmp_path, "paraformer", "--from", model)[0] == 1
    told = capsys.readouterr().err
    assert "example/asr_example.wav (100%): expected '欢迎大家来体验达摩院" in told
    assert example_text("paraformer", "example/asr_example.wav", 4.0) is None


def test_a_proof_without_text_or_speech_is_refused(tmp_path, capsys):
    assert install(tmp_path, "vad", "--proof", *ZH_1)[0] == 1
    assert "a vad model does not read speech" in capsys.readouterr().err


def put_data_outside(model, one_file):
    """Rewrite a model as newer exporters write it."""
    graph = onnx.load(str(model / "model.onnx"))
    (model / "model.onnx").unlink()
    onnx.save_model(
        graph,
        str(model / "model.onnx"),
        save_as_external_data=True,
        all_tensors_to_one_file=one_file,
        location="model.onnx.data" if one_file else None,
        size_threshold=100,
    )


@pytest.mark.parametrize("one_file", [True, False], ids=["one file", "many files"])
def test_weights_in_files_of_their_own_are_found_through_links(tmp_path, model, one_file):
    put_data_outside(model, one_file)
    assert (len(external_files(model / "model.onnx")) == 1) is one_file
    snapshot, blobs = tmp_path / "snapshot", tmp_path / "blobs"
    snapshot.mkdir()
    model.rename(blobs)  # as a hub's cache has them
    for index, path in enumerate(sorted(blobs.iterdir())):
        blob = path.rename(blobs / f"{index:040x}")
        (snapshot / path.name).symlink_to(f"../blobs/{blob.name}")
    status, manifest = install(tmp_path, "paraformer", "--from", snapshot, "--proof", *ZH_1)
    assert status == 0
    assert ("model.onnx.data" in manifest["source_sha256"]) is one_file


@pytest.mark.parametrize(
    "location", ["../weights", "/etc/hostname", "a/../../weights", "C:\\w", ""]
)
def test_weights_outside_the_model_s_folder_are_refused(tmp_path, model, location):
    put_data_outside(model, one_file=True)
    graph = onnx.load(str(model / "model.onnx"), load_external_data=False)
    tensor = next(t for t in graph.graph.initializer if external_data_helper.uses_external_data(t))
    next(entry for entry in tensor.external_data if entry.key == "location").value = location
    onnx.save(graph, str(model / "model.onnx"))
    with pytest.raises(PrepareError, match="expected a file in the folder of the graph"):
        load_model(model / "model.onnx")


def test_missing_and_short_data_are_named(model):
    put_data_outside(model, one_file=True)
    data = model / "model.onnx.data"
    data.write_bytes(data.read_bytes()[:1000])
    with pytest.raises(PrepareError, match="the file ends after"):
        load_model(model / "model.onnx")
    data.unlink()
    with pytest.raises(PrepareError, match=r"expected its data in model\.onnx\.data beside it"):
        load_model(model / "model.onnx")


@pytest.mark.parametrize("kind", ["paraformer", "sensevoice", "paraformer-online", "vad"])
def test_a_recording_of_a_few_samples_is_refused_in_a_line_or_taken(kind, tmp_path, capsys):
    wav = tmp_path / "short.wav"
    soundfile.write(wav, np.zeros(500, np.float32), 16000)
    install(tmp_path, kind, "--wav", wav)
    assert capsys.readouterr().err.count("\n") <= 1


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("config.yaml", b"a: [1"),
        ("config.yaml", b"- 1\n"),
        ("config.yaml", b"a: 1\n"),
        ("config.yaml", b"\xff\xfe\x00"),
        ("tokens.json", b"{"),
        ("tokens.json", b"\xff\xfe\x00"),
        ("am.mvn", b"<AddShift> 80 80\n[ 1 2 ]\n<Rescale> 80 80\n[ 1 2 ]\n"),
        ("am.mvn", b"<AddShift> 80 80\n[ a b ]\n"),
        ("model.onnx", b"no graph"),
        ("model.onnx", b""),
        ("tokens.json", None),
    ],
)
def test_every_refusal_is_one_line(model, tmp_path, capsys, name, content):
    (model / name).unlink()
    if content is None:
        (model / name).mkdir()
    else:
        (model / name).write_bytes(content)
    assert install(tmp_path, "paraformer", "--from", model)[0] == 1
    error = capsys.readouterr().err
    assert error.count("\n") == 1
    assert "Error:" not in error  # what was foreseen needs no name of an exception


def test_pieces_that_all_are_dropped_are_no_words():
    assert end_loose_pieces(["<unk>"]) == end_loose_pieces(["<s>"]) == []
    assert end_loose_pieces(["he@@", "<unk>"]) == ["he"]
