"""docs/from_automodel.md: its examples run, in their order, on a real server."""

from __future__ import annotations

import re
import shutil

from asr_server.places import EMBEDDED_MODELS, ROOT

PAGE = ROOT / "docs" / "from_automodel.md"
URL = "grpc://127.0.0.1:8001"

# The calls of FunASR's tutorial: each has an example.
CALLS = (
    "fs=16000",
    'vad_model="fsmn-vad"',
    'punc_model="ct-punc"',
    "hotword=",
    "batch_size=",
    'model="paraformer-zh-streaming"',
    'model="fsmn-vad"',
    'model="ct-punc"',
    'spk_model="cam++"',
    'model="cam++"',
    'model="fa-zh"',
)


def test_every_example_runs(triton_server, tmp_path, monkeypatch, capsys):
    page = PAGE.read_text(encoding="utf-8")
    blocks = re.findall(r"```python\n(.*?)```", page, re.DOTALL)
    for sample in (EMBEDDED_MODELS / "samples").iterdir():
        shutil.copy(sample, tmp_path)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    assert URL in blocks[0]
    for block in blocks:
        exec(block.replace(URL, triton_server.grpc_url), names)
        if "print(" in block:
            assert capsys.readouterr().out.strip()


def test_every_call_has_an_example():
    text = PAGE.read_text(encoding="utf-8").split("## Call by call")[1]
    described = text.split("```python")[:-1]
    for call in CALLS:
        assert any(call in part for part in described), call
