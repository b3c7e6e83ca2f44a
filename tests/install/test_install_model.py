"""Installing models into a repository."""

import json
import shutil

import onnxruntime
import pytest

from asr_core.paraformer import EMBEDDER_FILE
from asr_server.commands.install import main
from asr_server.errors import InstallError
from asr_server.graphs import PrepareError
from asr_server.install import install
from asr_server.models import KINDS, MANIFEST, copy_repository, default_repositories, is_installed
from asr_server.places import ROOT
from tests.serving import RANDOM_MODELS

SOURCES = {
    "paraformer": RANDOM_MODELS / "bicif_paraformer-tiny-seed0",
    "sensevoice": RANDOM_MODELS / "sensevoice-tiny-seed0",
    "paraformer-online": RANDOM_MODELS / "paraformer_online-tiny-seed0",
}


@pytest.fixture(params=SOURCES)
def kind(request):
    return KINDS[request.param]


@pytest.fixture
def repository(tmp_path, kind):
    return copy_repository(kind, tmp_path / kind.repository)


def files_of(repository):
    return {
        path.relative_to(repository): path.read_bytes()
        for path in repository.rglob("*")
        if path.is_file()
    }


def test_an_installed_repository_has_every_file_its_models_read(kind, repository):
    assert not is_installed(kind, repository)
    install(kind, SOURCES[kind.name], repository)
    assert is_installed(kind, repository)
    for model, names in kind.files.items():
        for name in names:
            installed = (repository / model / "1" / name).read_bytes()
            assert installed == (SOURCES[kind.name] / name).read_bytes()
    for graph in kind.graphs:
        path = repository / graph.model / "1" / "model.onnx"
        session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
        config = (repository / graph.model / "config.pbtxt").read_text()
        names = []
        for part, values in (("input", session.get_inputs()), ("output", session.get_outputs())):
            if f"\n{part} [" in config:  # else Triton completes it from the file
                names += [value.name for value in values]
        for name in names:  # an input, an output, or what Triton makes of another input
            assert f'name: "{name}"' in config or f'target_name: [ "{name}" ]' in config


def test_the_manifest_says_what_was_installed_and_proved(kind, repository):
    reports = install(kind, SOURCES[kind.name], repository)
    for graph, report in zip(kind.graphs, reports, strict=True):
        manifest = json.loads((repository / graph.model / "1" / MANIFEST).read_text())
        assert manifest["source"] == SOURCES[kind.name].name
        assert manifest["onnx"] == f"{graph.stem}.onnx"
        assert manifest["preparation"]["kind"] == report.kind
        assert manifest["preparation"]["row_by_row"] is False
        assert len(manifest["preparation"]["source_sha256"]) == 64


def test_a_missing_file_is_named_and_nothing_changes(kind, repository, tmp_path):
    install(kind, SOURCES[kind.name], repository)
    before = files_of(repository)
    incomplete = tmp_path / "incomplete"
    shutil.copytree(SOURCES[kind.name], incomplete)
    (incomplete / "am.mvn").unlink()
    with pytest.raises(InstallError, match=r"incomplete: expected am\.mvn, not found"):
        install(kind, incomplete, repository)
    assert files_of(repository) == before


def test_a_broken_graph_leaves_the_installed_model(kind, repository, tmp_path):
    install(kind, SOURCES[kind.name], repository)
    before = files_of(repository)
    broken = tmp_path / "broken"
    shutil.copytree(SOURCES[kind.name], broken)
    graph = broken / f"{kind.graphs[-1].stem}.onnx"
    graph.write_bytes(graph.read_bytes()[:10_000])
    with pytest.raises(PrepareError):
        install(kind, broken, repository)
    assert files_of(repository) == before


def test_a_model_of_another_kind_is_refused(kind, repository, tmp_path):
    other = next(name for name in SOURCES if name != kind.name)
    mixed = tmp_path / "mixed"
    shutil.copytree(SOURCES[kind.name], mixed)
    shutil.copy(SOURCES[other] / "model.onnx", mixed)
    with pytest.raises(PrepareError):
        install(kind, mixed, repository)
    assert not is_installed(kind, repository)


@pytest.fixture
def paraformer_repository(tmp_path):
    kind = KINDS["paraformer"]
    return copy_repository(kind, tmp_path / kind.repository)


def test_a_model_with_hotwords_brings_their_embedder(paraformer_repository, tmp_path):
    kind, repository = KINDS["paraformer"], paraformer_repository
    source = tmp_path / "seaco"
    shutil.copytree(RANDOM_MODELS / "seaco_paraformer-tiny-seed0", source)
    (source / "seg_dict").write_text("hello hel@@ lo\n")
    folder = repository / "paraformer_feature_extractor" / "1"
    (report,) = install(kind, source, repository)
    assert report.kind == "seaco_paraformer"
    assert (folder / EMBEDDER_FILE).is_file()
    assert (folder / "seg_dict").read_text() == "hello hel@@ lo\n"
    install(kind, SOURCES["paraformer"], repository)
    assert not (folder / EMBEDDER_FILE).exists()
    assert not (folder / "seg_dict").exists()


def test_a_model_with_hotwords_but_no_embedder_is_refused(paraformer_repository, tmp_path):
    kind, repository = KINDS["paraformer"], paraformer_repository
    source = tmp_path / "contextual"
    shutil.copytree(RANDOM_MODELS / "contextual_paraformer-tiny-seed0", source)
    (source / "model_eb.onnx").unlink()
    before = files_of(repository)
    with pytest.raises(InstallError, match=r"expected model_eb\.onnx \(hotwords\), not found"):
        install(kind, source, repository)
    (source / "model_eb.onnx").write_bytes((source / "model.onnx").read_bytes())
    with pytest.raises(PrepareError, match="embedding and LSTM of hotwords"):
        install(kind, source, repository)
    assert files_of(repository) == before


def test_int8_graphs_are_found_by_the_first_one_s_name(tmp_path):
    kind = KINDS["paraformer-online"]
    repository = copy_repository(kind, tmp_path / kind.repository)
    reports = install(kind, SOURCES[kind.name], repository, "model_quant.onnx")
    assert [report.precision for report in reports] == ["int8", "int8"]
    manifest = json.loads((repository / "streaming_decoder" / "1" / MANIFEST).read_text())
    assert manifest["onnx"] == "decoder_quant.onnx"
    with pytest.raises(InstallError, match=r"quantised\.onnx: expected a name that starts"):
        install(kind, SOURCES[kind.name], repository, "quantised.onnx")


def test_half_a_model_is_not_installed(tmp_path):
    kind = KINDS["paraformer-online"]
    repository = copy_repository(kind, tmp_path / kind.repository)
    install(kind, SOURCES[kind.name], repository)
    assert is_installed(kind, repository)
    (repository / "streaming_decoder" / "1" / MANIFEST).unlink()
    assert not is_installed(kind, repository)


def test_the_default_repositories_can_be_served():
    repositories = default_repositories()
    with_models = {
        ROOT / kind.repository
        for kind in KINDS.values()
        if kind.embedded.is_dir() or is_installed(kind, ROOT / kind.repository)
    }
    assert set(repositories) == with_models


def test_copies_of_a_repository_have_no_weights(kind, repository, tmp_path):
    install(kind, SOURCES[kind.name], repository)
    copy = copy_repository(kind, tmp_path / "copy", source=repository)
    assert not is_installed(kind, copy)
    names = {path.name for path in files_of(copy)}
    assert names <= {"config.pbtxt", "model.py"}


def test_command_line_says_what_is_wrong(tmp_path, capsys):
    status = main(["paraformer", "--from", str(tmp_path), "--repository", str(tmp_path)])
    assert status == 1
    assert "expected am.mvn, config.yaml, model.onnx, tokens.json" in capsys.readouterr().err
