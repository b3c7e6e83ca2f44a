"""Hotwords on their way to the server."""

from __future__ import annotations

import json

import numpy as np
import pytest

from asr_client import Transcript
from asr_client.cli import main
from asr_client.errors import OptionError
from asr_client.hotwords import encode_hotwords
from asr_client.protocol import KNOWN_MODELS, build_request
from asr_contract import Hotword, parse_hotwords

SILENCE = np.zeros(1600, np.float32)


@pytest.mark.parametrize("hotwords", [None, "", "  ", [], (), {}])
def test_no_hotwords_are_not_sent(hotwords):
    request = build_request(KNOWN_MODELS["paraformer"], [SILENCE], hotwords=hotwords)
    assert request.parameters == {}


@pytest.mark.parametrize(
    "hotwords, expected",
    [
        ("阿里巴巴 20", [Hotword("阿里巴巴", 20)]),
        (["阿里巴巴", "hello world"], [Hotword("阿里巴巴"), Hotword("hello world")]),
        (("2024",), [Hotword("2024")]),
        ({"阿里巴巴": 20, "腾讯": 0.5}, [Hotword("阿里巴巴", 20), Hotword("腾讯", 0.5)]),
    ],
)
def test_the_server_reads_what_the_client_sends(hotwords, expected):
    request = build_request(KNOWN_MODELS["paraformer"], [SILENCE], hotwords=hotwords)
    assert parse_hotwords(request.parameters["hotwords"]) == expected


@pytest.mark.parametrize(
    "hotwords", [20, ["阿里巴巴", 20], {"阿里巴巴": "20"}, {"阿里巴巴": float("nan")}, {20: 20}]
)
def test_what_is_no_hotword_is_refused(hotwords):
    with pytest.raises(OptionError, match="hotwords: expected"):
        encode_hotwords(hotwords)


class Recorder:
    """Stands in for the client of the command line and keeps the hotwords it is given."""

    def __init__(self) -> None:
        self.hotwords: list[object] = []

    def __call__(self, *_):
        return self

    def __enter__(self):
        return self

    def __exit__(self, *_):
        pass

    def check_ready(self, *_, **__):
        pass

    def is_ready(self, *_, **__):
        return False

    url = "grpc://h:1"

    def transcribe(self, audio, *, hotwords, **_):
        self.hotwords.append(hotwords)
        return Transcript("", "paraformer", 1.0, [])


def test_command_line(tmp_path, capsys):
    recorder = Recorder()
    listed = tmp_path / "hotwords.txt"
    listed.write_text("\ufeff阿里巴巴 20\n腾讯\n", encoding="utf-8")
    base = ["transcribe", "a.wav"]
    for options in ([], ["--hotword", "阿里巴巴 腾讯"], ["--hotword", str(listed)]):
        assert main([*base, *options], client_factory=recorder) == 0
    assert recorder.hotwords == [None, "阿里巴巴 腾讯", "阿里巴巴 20\n腾讯\n"]
    listed.write_bytes("阿里巴巴".encode("gbk"))
    assert main([*base, "--hotword", str(listed)], client_factory=recorder) == 2
    assert "--hotword" in capsys.readouterr().err


def test_json_stays_readable():
    assert json.loads(encode_hotwords(["阿里巴巴"])) == ["阿里巴巴"]
    assert "阿里巴巴" in encode_hotwords(["阿里巴巴"])
