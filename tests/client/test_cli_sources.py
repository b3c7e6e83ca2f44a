"""Addresses as recordings, completion of the command line, its version, and where its server is."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from importlib import metadata
from pathlib import Path

import jsonschema_rs
import pytest

from asr_client import AudioError
from asr_client.cli import main
from tests.client.test_cli import FakeClient
from tests.client.test_cli_names import Received

SCHEMA = Path(__file__).parents[2] / "docs" / "transcript.schema.json"


class _Site(BaseHTTPRequestHandler):
    """A site with a recording, and with what goes wrong with one."""

    def do_GET(self) -> None:
        path = self.path.partition("?")[0]
        if path == "/gone.wav":
            return self.send_error(404, "Not here")
        if path == "/locked.wav" and self.headers["Authorization"] != "Basic bWU6YSBi":  # me:a b
            return self.send_error(401, "Who are you?")
        if path in ("/round.wav", "/moved.wav"):
            self.send_response(302)
            self.send_header("Location", "/round.wav" if path == "/round.wav" else "/locked.wav")
            self.end_headers()
            return None
        if path == "/elsewhere.wav":
            self.send_response(302)
            self.send_header("Location", "file:///etc/passwd")
            self.end_headers()
            return None
        self.send_response(200)
        body = b"" if path == "/empty.wav" else b"the recording"
        claimed = len(body) + (100 if path == "/short.wav" else 0)
        self.send_header("Content-Length", str(claimed))
        self.end_headers()
        self.wfile.write(body)
        return None

    def log_message(self, *arguments: object) -> None:
        pass


@pytest.fixture(scope="module")
def site() -> Iterator[str]:
    with HTTPServer(("127.0.0.1", 0), _Site) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def test_an_address_is_fetched_when_it_is_allowed(site, capsys):
    client = Received()
    url = f"{site}/talk.wav?token=1"
    assert main(["transcribe", url, "--allow-urls", "--format", "json"], client_factory=client) == 0
    record = json.loads(capsys.readouterr().out)
    assert record["file"] == url
    assert client.asked["bytes"] == b"the recording"
    (path,) = client.asked["items"]
    assert not Path(path).exists()  # not kept


def test_the_scheme_of_an_address_may_be_in_capitals(site, capsys):
    client = Received()
    url = site.upper() + "/talk.wav"
    assert main(["transcribe", url, "--allow-urls"], client_factory=client) == 0
    assert client.asked["bytes"] == b"the recording"


@pytest.mark.parametrize("name", ["会议 1.wav", "a%20b.wav?名=值", "talk.wav#here", "[1].wav"])
def test_an_address_may_be_written_as_people_do(site, capsys, name):
    assert main(["transcribe", f"{site}/{name}", "--allow-urls"], client_factory=Received()) == 0
    assert capsys.readouterr().out == "好\n"


def test_an_address_may_have_a_name_and_a_password(site, capsys):
    known = site.replace("//", "//me:a%20b@")
    urls = [f"{known}/locked.wav", f"{site}/locked.wav", f"{known}/moved.wav"]
    assert main(["transcribe", *urls, "--allow-urls"], client_factory=Received()) == 1
    out, err = capsys.readouterr()
    assert out == f"{urls[0]}\t好\n"
    assert err.count("Who are you?") == 2  # not told to where the answer points


@pytest.mark.parametrize("command", [["stream", "URL"], ["align", "URL", "text"]])
def test_every_command_that_reads_audio_asks_for_leave(site, capsys, tmp_path, command):
    text = tmp_path / "text"
    text.write_text("text")
    named = [{"URL": f"{site}/talk.wav", "text": str(text)}.get(word, word) for word in command]
    assert main(named, client_factory=Received()) == 2
    assert "--allow-urls" in capsys.readouterr().err


def test_an_address_is_refused_when_it_is_not(site, capsys):
    client = Received()
    assert main(["transcribe", f"{site}/talk.wav"], client_factory=client) == 2
    assert "--allow-urls" in capsys.readouterr().err
    assert client.asked == {}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("gone.wav", "Not here"),
        ("empty.wav", "the answer is empty"),
        ("short.wav", "the connection ended after 13"),
        ("elsewhere.wav", "not allowed"),
        ("round.wav", "infinite loop"),
    ],
)
def test_what_cannot_be_fetched_fails_alone(site, capsys, name, reason):
    urls = [f"{site}/{name}", f"{site}/talk.wav"]
    assert main(["transcribe", *urls, "--allow-urls"], client_factory=Received()) == 1
    out, err = capsys.readouterr()
    assert out == f"{site}/talk.wav\t好\n"
    failed, _ = err.splitlines()
    assert failed.startswith(f"{site}/{name}: ")
    assert reason in failed


def test_errors_speak_of_the_address(site, capsys):
    class Refusing(Received):
        def _answer(self, audio):
            raise AudioError(f"{audio}: no audio")

    command = ["transcribe", f"{site}/a.wav", "--allow-urls"]
    assert main(command, client_factory=Refusing()) == 1
    assert capsys.readouterr().err == f"{site}/a.wav: no audio\n"


def test_the_server_may_be_named_in_the_environment(monkeypatch):
    monkeypatch.setenv("TRITON_ASR_URL", "http://elsewhere:9")
    client = FakeClient({"a.wav": "好"})
    assert main(["transcribe", "a.wav"], client_factory=client) == 0
    assert client.asked["url"] == "http://elsewhere:9"
    assert main(["transcribe", "a.wav", "--url", "grpc://h:1"], client_factory=client) == 0
    assert client.asked["url"] == "grpc://h:1"


@pytest.mark.parametrize(
    ("option", "value"), [("--url", "nowhere"), ("--ca-file", "none.pem"), ("--ca-file", "x" * 300)]
)
def test_what_is_wrong_is_called_as_on_the_command_line(capsys, option, value):
    assert main(["transcribe", "a.wav", option, value]) == 2
    assert capsys.readouterr().err.startswith(f"triton-asr transcribe: {option}: expected ")


def test_the_version_is_the_packages(capsys):
    with pytest.raises(SystemExit) as caught:
        main(["--version"])
    assert caught.value.code == 0
    assert capsys.readouterr().out == f"triton-asr {metadata.version('triton-asr')}\n"


def test_bash_completes_commands_options_and_values():
    """By a real bash, from the script that the command prints."""
    code = (
        "source <({python} -m asr_client completion bash); "
        "COMP_WORDS=({words}); COMP_CWORD={index}; _shtab_triton_asr; echo ${{COMPREPLY[*]}}"
    )

    def completed(*words: str) -> set[str]:
        line = code.format(python=sys.executable, words=" ".join(words), index=len(words) - 1)
        done = subprocess.run(["bash", "-c", line], capture_output=True, text=True, timeout=120)
        assert done.returncode == 0, done.stderr
        return set(done.stdout.split())

    assert completed("triton-asr", "tr") == {"transcribe"}
    assert completed("triton-asr", "transcribe", "--lang") == {"--language"}
    assert completed("triton-asr", "transcribe", "--format", "s") == {"srt"}


def test_text_is_another_name_of_txt(capsys):
    for name in ("txt", "text"):
        command = ["transcribe", "a.wav", "--format", name]
        assert main(command, client_factory=FakeClient({"a.wav": "好"})) == 0
        assert capsys.readouterr().out == "好\n"


def test_a_whole_recording_has_the_documented_form(capsys):
    validator = jsonschema_rs.validator_for(json.loads(SCHEMA.read_text(encoding="utf-8")))
    client = FakeClient({"a.wav": "你好", "silence.wav": ""})
    command = ["transcribe", "a.wav", "silence.wav", "--format", "json"]
    assert main(command, client_factory=client) == 0
    records = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    for record in records:
        validator.validate(record)
    assert records[0]["sentences"][0]["words"][0] == {
        **{"text": "你", "start_ms": 0, "end_ms": 60},
        "confidence": 0.5,
        "speaker": None,
    }
    assert records[1]["sentences"] == []
    del records[0]["sentences"][0]["emotion"]
    assert not validator.is_valid(records[0])
