"""Text files as editors on Windows write them."""

from __future__ import annotations

import codecs
import json

import pytest

from asr_client import KnownSpeakers
from asr_client.cli.common import UsageError
from asr_client.cli.input_files import read_wav_scp
from asr_client.cli.references import read_references
from asr_contract import parse_hotwords, read_text
from asr_gateway.service.command_line import read_settings
from asr_gateway.service.options import gateway_parser
from asr_server.commands import serve_options

ENCODINGS = {
    "plain": lambda text: text.encode(),
    "mark": lambda text: codecs.BOM_UTF8 + text.encode(),
    "crlf": lambda text: text.replace("\n", "\r\n").encode(),
    "mark and crlf": lambda text: codecs.BOM_UTF8 + text.replace("\n", "\r\n").encode(),
    "utf-16": lambda text: codecs.BOM_UTF16_LE + text.replace("\n", "\r\n").encode("utf-16-le"),
    "big endian": lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
}


@pytest.fixture(params=ENCODINGS)
def written(request, tmp_path):
    """Write a text as some editor does; return its path."""

    def write(name: str, text: str) -> str:
        path = tmp_path / name
        path.write_bytes(ENCODINGS[request.param](text))
        return str(path)

    return write


def test_the_text_is_what_was_written(written):
    assert read_text(written("a.txt", "阿里巴巴 20\n达摩院\n")) == "阿里巴巴 20\n达摩院\n"
    assert read_text(written("empty.txt", "")) == ""


def test_lists_and_transcripts(written):
    sources = read_wav_scp(written("wav.scp", "utt1 a.wav\nutt2 b c.wav\n"))
    assert [(source.utterance_id, source.path) for source in sources] == [
        ("utt1", "a.wav"),
        ("utt2", "b c.wav"),
    ]
    references = read_references(written("text", "utt1 你好 世界\nutt2\n"))
    assert references == {"utt1": "你好 世界", "utt2": ""}
    table = read_references(written("text.tsv", "id\ttext\nutt1\t你好\n"))
    assert table == {"utt1": "你好"}


def test_the_gateways_files(written):
    keys = written("keys", "first-key\nsecond-key\n")
    words = written("words", "阿里巴巴 20\n达摩院\n")
    options = gateway_parser().parse_args(["--api-key-file", keys, "--hotword", words])
    settings = read_settings(options)
    assert settings.api_keys == ("first-key", "second-key")
    assert [word.text for word in parse_hotwords(settings.hotwords)] == ["阿里巴巴", "达摩院"]


def test_the_servers_keys_and_the_speakers_that_are_known(written):
    written("a.wav", "any")
    words = ["--api-key-file", written("keys", "first-key\nsecond-key\n")]
    options = serve_options.parser(None, None).parse_args(words)
    assert serve_options.door_settings(options).keys == ["first-key", "second-key"]
    known = KnownSpeakers.read(written("speakers.json", '{"speakers": {"李伟": ["a.wav"]}}'))
    assert known.names == ["李伟"]


@pytest.mark.parametrize(
    "text",
    [
        "\ufeff阿里巴巴 20\r\n达摩院",
        '\ufeff["阿里巴巴", "达摩院"]',
        json.dumps({"\ufeff阿里巴巴": 20, "达摩院": 1}),
    ],
)
def test_hotwords_that_a_client_read_with_their_mark(text):
    assert [word.text for word in parse_hotwords(text)] == ["阿里巴巴", "达摩院"]


def test_another_encoding_is_told(tmp_path):
    path = tmp_path / "gbk.txt"
    path.write_bytes("阿里巴巴".encode("gbk"))
    with pytest.raises(ValueError, match=r"gbk\.txt: expected UTF-8 text"):
        read_text(path)
    with pytest.raises(UsageError, match=r"gbk\.txt: expected UTF-8 text"):
        read_wav_scp(str(path))
