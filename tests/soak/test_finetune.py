"""From a Kaldi data folder through FunASR's trainer to a served model. Needs torch and FunASR."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys

import pytest
import soundfile

from asr_server.commands.install import main
from asr_server.file_hashes import hash_file
from asr_server.install import Material, read_manifest
from asr_server.install.installed import load_paraformer
from asr_server.models import KINDS, copy_repository
from asr_server.places import EMBEDDED_MODELS, ROOT
from asr_server.run import TritonServer
from tests.serving import READY_TIMEOUT_S, RawClient

pytestmark = pytest.mark.soak

KIND = KINDS["paraformer"]
SAMPLES = EMBEDDED_MODELS / "samples"


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    """`wav.scp` and `text` of the Mandarin samples, and a line without a recording."""
    folder = tmp_path_factory.mktemp("data")
    rows = (SAMPLES / "transcripts.tsv").read_text(encoding="utf-8").splitlines()[1:]
    with (folder / "wav.scp").open("w") as scp, (folder / "text").open("w") as text:
        for name, language, spoken in (row.split("\t") for row in rows):
            if language == "zh":
                scp.write(f"{name} {SAMPLES / name}\n")
                text.write(f"{name} {spoken}\n")
        text.write("missing 没有录音\n")
    return folder


@pytest.fixture(scope="module")
def finetuned(data, tmp_path_factory):
    """A few steps on the embedded Paraformer."""
    output = tmp_path_factory.mktemp("finetuned") / "mine"
    command = [sys.executable, "-m", "scripts.finetune", "--base", KIND.embedded, "--train", data]
    command += ["--output", output, "--epochs", "2", "--averaged", "1"]
    subprocess.run(list(map(str, command)), cwd=ROOT, check=True)
    return output


def test_the_list_has_what_was_spoken(finetuned):
    lines = (finetuned / "training" / "train.jsonl").read_text(encoding="utf-8").splitlines()
    entries = {entry["key"]: entry for entry in map(json.loads, lines)}
    assert set(entries) == {"zh_1.wav", "zh_2.wav", "zh_3.wav"}
    assert entries["zh_1.wav"]["target"] == " ".join("帮我把报告发送给王芳")
    assert all(entry["source_len"] > 0 for entry in entries.values())


def test_the_trained_model_is_installed_verified_and_served(finetuned, tmp_path, capsys):
    assert hash_file(finetuned / "model.pt") != hash_file(KIND.embedded / "model.pt")
    assert not (finetuned / "model.onnx").exists()
    repository = copy_repository(KIND, tmp_path / KIND.repository)
    places = ["--store", str(tmp_path / "store"), "--repository", str(repository)]
    assert main(["paraformer", "--from", str(finetuned), *places]) == 0
    assert "verified against funasr_onnx" in capsys.readouterr().out
    manifest = read_manifest(repository, "paraformer")
    assert manifest["name"] == "mine"
    agreement = manifest["funasr_onnx_agreement"]
    assert agreement["tokens"] == agreement["equal_tokens"] > 0
    samples, _ = soundfile.read(SAMPLES / "zh_1.wav", dtype="float32")
    (expected,) = load_paraformer(repository)(Material([samples], []))
    with TritonServer([repository], log=tmp_path / "server.log") as server:
        server.wait_ready(READY_TIMEOUT_S)
        (answer,) = RawClient(server).recognise("paraformer", [samples])
    assert answer.transcript == expected
    # A few small steps leave what the model knows.
    assert len(set(answer.transcript) & set("帮我把报告发送给王芳")) >= 5


def test_a_base_without_checkpoint_is_refused(data, tmp_path):
    base = tmp_path / "base"
    shutil.copytree(KIND.embedded, base, ignore=shutil.ignore_patterns("*.pt"))
    command = [sys.executable, "-m", "scripts.finetune", "--base", base, "--train", data]
    result = subprocess.run(
        list(map(str, [*command, "--output", tmp_path / "out"])),
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 1
    assert "model.pt: not found" in result.stderr
