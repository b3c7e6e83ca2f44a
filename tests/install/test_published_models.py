"""Names of published models."""

from __future__ import annotations

import pytest

from asr_server.errors import InstallError
from asr_server.install import locate as locate_module
from asr_server.install.hub import Snapshot
from asr_server.install.locate import Wanted, locate
from asr_server.models import KINDS, PUBLISHED_MODELS
from asr_server.models.published import default_model, find_published

LARGE = "iic/speech_paraformer-large_asr_nat-zh-cn-16k-common-vocab8404"
CONTEXTUAL = LARGE.replace("large", "large-contextual")
SEACO = "iic/speech_seaco_paraformer_large_asr_nat-zh-cn-16k-common-vocab8404-pytorch"


@pytest.mark.parametrize(
    ("source", "options", "expected"),
    [
        (None, {"kind": "sensevoice"}, ("modelscope", "iic/SenseVoiceSmall-onnx")),
        ("SenseVoiceSmall", {"kind": "sensevoice"}, ("modelscope", "iic/SenseVoiceSmall-onnx")),
        ("iic/SenseVoiceSmall", {"kind": "sensevoice"}, ("modelscope", "iic/SenseVoiceSmall-onnx")),
        (
            "iic/SenseVoiceSmall",
            {"kind": "sensevoice", "from_checkpoint": True},
            ("modelscope", "iic/SenseVoiceSmall"),
        ),
        (
            "FunAudioLLM/SenseVoiceSmall",
            {"kind": "sensevoice"},
            ("huggingface", "FunAudioLLM/SenseVoiceSmall"),
        ),
        (
            "sensevoice",
            {"kind": "sensevoice", "hub": "huggingface"},
            ("huggingface", "FunAudioLLM/SenseVoiceSmall"),
        ),
        (None, {}, ("modelscope", f"{LARGE}-onnx")),
        ("paraformer", {}, ("modelscope", f"{LARGE}-onnx")),
        (
            None,
            {"variant": "timestamps"},
            ("modelscope", f"{LARGE.replace('large', 'large-vad-punc')}-onnx"),
        ),
        (f"damo/{LARGE[4:]}-onnx", {}, ("modelscope", f"damo/{LARGE[4:]}-onnx")),
        (f"damo/{LARGE[4:]}-pytorch", {}, ("modelscope", f"{LARGE}-onnx")),
        (
            "paraformer-zh-streaming",
            {"kind": "paraformer-online"},
            ("modelscope", f"{LARGE}-online-onnx"),
        ),
        (None, {"variant": "contextual"}, ("modelscope", f"{CONTEXTUAL}-onnx")),
        ("paraformer-zh", {}, ("modelscope", SEACO)),
        ("funasr/paraformer-zh", {}, ("huggingface", "funasr/paraformer-zh")),
        (
            "fsmn-vad",
            {"kind": "vad"},
            ("modelscope", "iic/speech_fsmn_vad_zh-cn-16k-common-onnx"),
        ),
        ("funasr/fsmn-vad", {"kind": "vad"}, ("huggingface", "funasr/fsmn-vad")),
        (
            "ct-punc",
            {"kind": "punctuation"},
            ("modelscope", "iic/punc_ct-transformer_cn-en-common-vocab471067-large-onnx"),
        ),
        ("someone/finetuned", {}, ("modelscope", "someone/finetuned")),
        ("someone/finetuned", {"hub": "huggingface"}, ("huggingface", "someone/finetuned")),
    ],
)
def test_the_repository_for_a_name(source, options, expected):
    settings = {"kind": "paraformer", "graphs": ["model"], "precision": "fp32", **options}
    wanted = Wanted(source=source, **settings)
    assert locate_module._choose_repository(wanted) == expected


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("fsmn-vad", {}, "fsmn-vad: is a model of kind vad, not paraformer"),
        ("no-such-thing", {}, "no-such-thing: no such directory, and not an id .*fsmn-vad"),
        ("./missing/folder/x", {}, "no such directory"),
        ("paraformer", {"variant": "timestamps"}, "is paraformer, not variant 'timestamps'"),
        (None, {"hub": "huggingface"}, "huggingface has no model of paraformer; try --hub modelsc"),
    ],
)
def test_what_cannot_be_found_is_explained(source, options, message, tmp_path):
    wanted = Wanted("paraformer", ["model"], "fp32", source, **options)
    with pytest.raises(InstallError, match=message):
        locate(wanted, tmp_path, print)


def test_a_checkpoint_is_downloaded_only_where_it_can_be_exported(tmp_path, monkeypatch):
    asked = []

    def download(hub_name, repository, patterns, revision):
        asked.append(patterns)
        return Snapshot(tmp_path, hub_name, repository, "master")

    def refuse(what):
        raise InstallError(f"{what}: no torch")

    monkeypatch.setattr(locate_module.hub, "download", download)
    monkeypatch.setattr(locate_module.hub, "list_files", lambda *_: {"model.pt", "config.yaml"})
    monkeypatch.setattr(locate_module, "check_exporter", refuse)
    wanted = Wanted("paraformer", ["model"], "fp32", "someone/checkpoint")
    with pytest.raises(InstallError, match="someone/checkpoint: no torch"):
        locate(wanted, tmp_path, print)
    assert len(asked) == 1
    assert "model.pt" not in asked[0]


def test_every_kind_has_a_published_default():
    for kind in KINDS:
        assert default_model(kind).kind == kind


def test_every_name_is_of_one_model():
    names = [
        (name, model)
        for model in PUBLISHED_MODELS
        for name in (*model.names, model.modelscope, model.modelscope_onnx)
        if name
    ]
    assert len(names) == len({name for name, _ in names})
    for name, model in names:
        assert find_published(name) is model
    assert find_published("someone/finetuned") is None
