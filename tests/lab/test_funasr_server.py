"""FunASR's server as a contestant: what is started, what is said to it, what is refused.

Neither torch nor FunASR is here: stand-ins play its interpreter and its server.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml
from websockets.sync.server import ServerConnection, serve

from lab.benchmark import funasr_protocol
from lab.benchmark.__main__ import main
from lab.benchmark.funasr_protocol import NotRecognisedError, pcm, recognise
from lab.benchmark.funasr_server import (
    FunasrError,
    FunasrInstallation,
    command,
    find_funasr,
    prepare_folder,
    require_weights,
)
from tests.serving import RANDOM_MODELS

ANSWER = {"versions": {"funasr": "1.4.16", "torch": "2.13.0"}, "recogniser": "iic/asr"}
SPEECH = np.sin(np.arange(8000, dtype=np.float32) / 7)


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    script = tmp_path / "checkout/runtime/python/websocket/funasr_wss_server.py"
    script.parent.mkdir(parents=True)
    script.touch()
    return tmp_path / "checkout"


def interpreter(folder: Path, script: str) -> str:
    path = folder / "python"
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)
    return str(path)


def test_an_interpreter_says_what_it_has(checkout, tmp_path):
    python = interpreter(tmp_path, f"echo some notice; echo '{json.dumps(ANSWER)}'")
    installation = find_funasr(str(checkout), python)
    assert installation.versions == ANSWER["versions"]
    words = command(installation, threads=1, calls=2)
    assert words[:2] == [python, str(next(checkout.rglob("*.py")))]
    options = dict(word.removeprefix("--").split("=", 1) for word in words[2:])
    assert (options["ncpu"], options["concurrent_asr_offline"]) == ("1", "2")
    assert (options["device"], options["ngpu"]) == ("cpu", "0")
    assert (options["certfile"], options["punc_model"]) == ("", "")
    require_weights(Path(options["asr_model_online"]))


@pytest.mark.parametrize("value", [None, ""])
def test_a_checkout_that_is_not_named_is_missed(value):
    with pytest.raises(FunasrError, match="expected FUNASR_DIR to name a checkout"):
        find_funasr(value, "python")


def test_a_checkout_without_the_server_is_refused(tmp_path):
    with pytest.raises(FunasrError, match="has no runtime/python/websocket"):
        find_funasr(str(tmp_path), "python")


def test_an_interpreter_that_is_not_there_is_missed(checkout):
    with pytest.raises(FunasrError, match="expected an interpreter; /no/python is none"):
        find_funasr(str(checkout), "/no/python")


def test_an_interpreter_without_torch_is_refused_with_its_own_words(checkout, tmp_path):
    python = interpreter(
        tmp_path, "echo \"ModuleNotFoundError: No module named 'torch'\" >&2; false"
    )
    with pytest.raises(FunasrError, match="No module named 'torch'; name another interpreter"):
        find_funasr(str(checkout), python)


def test_a_model_without_weights_for_torch_is_refused():
    with pytest.raises(FunasrError, match=r"scripts\.export_random_models … --torch"):
        require_weights(RANDOM_MODELS / "paraformer-tiny-seed0")


def test_what_is_missing_ends_the_command_line_before_anything_is_measured(
    tmp_path, monkeypatch, capsys
):
    monkeypatch.delenv("FUNASR_DIR", raising=False)
    source = tmp_path / "model"
    source.mkdir()
    for name in ("model.pt", "configuration.json"):
        (source / name).touch()
    words = ["offline", "--paraformer", str(source), "--peers", "FunASR server"]
    assert main([*words, "--output", str(tmp_path / "output")]) == 1
    assert "FUNASR_DIR" in capsys.readouterr().err
    assert not (tmp_path / "output").exists()


def test_the_servers_fixed_names_are_folders(tmp_path):
    source = RANDOM_MODELS / "paraformer-tiny-seed0"
    installation = FunasrInstallation(Path("python"), Path("server.py"), "iic/asr", {})
    for _ in range(2):  # what an earlier run left does not matter
        folder = prepare_folder(installation, source, tmp_path / "folder")
    assert (folder / "iic/asr/model.onnx").samefile(source / "model.onnx")
    (speaker,) = (folder / "iic").glob("*campplus*")
    words = command(installation, threads=1, calls=1)
    (vad,) = (word.partition("=")[2] for word in words if word.startswith("--vad_model="))
    for model in (speaker, folder / vad):
        files = json.loads((model / "configuration.json").read_text())["file_path_metas"]
        settings = yaml.safe_load((model / files["config"]).read_text())
        code = Path(settings["remote_code"])
        assert code.is_absolute()
        assert f'"model_classes", "{settings["model"]}"' in code.read_text()
    assert Path(files["init_param"]).is_file()
    assert Path(files["frontend_conf"]["cmvn_file"]).is_file()


class StandIn:
    """Answers the end of the audio with given replies, and keeps what it was sent."""

    def __init__(self, replies: list[dict[str, Any]]) -> None:
        self.messages: list[str | bytes] = []
        self._replies = replies

    def __call__(self, connection: ServerConnection) -> None:
        for message in connection:
            self.messages.append(message)
            if isinstance(message, str) and not json.loads(message)["is_speaking"]:
                for reply in self._replies:
                    connection.send(json.dumps(reply))


@contextmanager
def served(stand_in: StandIn) -> Iterator[str]:
    with serve(stand_in, "127.0.0.1", 0, subprotocols=funasr_protocol.SUBPROTOCOLS) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"ws://127.0.0.1:{server.socket.getsockname()[1]}"
        finally:
            server.shutdown()
            thread.join()


def test_a_recording_is_sent_whole_and_the_texts_are_joined():
    stand_in = StandIn(
        [
            {"mode": "offline", "text": "你好", "is_final": True},
            {"mode": "offline", "text": "世界", "is_final": True},
            {"mode": "offline", "is_final": True, "is_end": True},
        ]
    )
    with served(stand_in) as url:
        assert recognise(url, SPEECH) == "你好世界"
    begin, audio, end = stand_in.messages
    assert json.loads(begin)["mode"] == "offline"
    assert audio == pcm(SPEECH)
    assert json.loads(end) == {"is_speaking": False, "is_end": True}


def test_what_the_server_could_not_do_is_raised():
    replies = [{"is_final": False, "is_end": True, "error": "offline inference failed: x"}]
    with served(StandIn(replies)) as url, pytest.raises(NotRecognisedError, match="failed: x"):
        recognise(url, SPEECH)


def test_a_server_that_acknowledges_nothing_is_not_waited_for_for_ever(monkeypatch):
    monkeypatch.setattr(funasr_protocol, "ANSWER_TIMEOUT_S", 0.01)
    replies = [{"text": "你好", "is_final": True}]
    with served(StandIn(replies)) as url, pytest.raises(NotRecognisedError, match="is_end"):
        recognise(url, SPEECH)


def test_samples_stay_within_sixteen_bits():
    assert np.frombuffer(pcm(np.array([-1, 0, 0.5, 1], np.float32)), "<i2").tolist() == [
        -32768,
        0,
        16384,
        32767,
    ]
