"""FunASR's own websocket server, `funasr_wss_server.py`, on the same weights.

It comes from a checkout of FunASR and runs in an environment with torch and funasr, without
changes. The names of two of its models are fixed in it, so it runs in a folder where these names
are folders: the recogniser to be measured, and a speaker model that does nothing. The VAD, which
it has no option to leave out either, is the embedded one, and so is the streaming recogniser,
which this mode does not use.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from asr_server.models import KINDS
from lab.benchmark import funasr_protocol
from lab.benchmark.websocket_server import WebsocketServer
from lab.benchmark.workload import Recording

CHECKOUT_VARIABLE = "FUNASR_DIR"
_SCRIPT = Path("runtime/python/websocket/funasr_wss_server.py")
_SPEAKER_MODEL = Path("iic/speech_campplus_sv_zh-cn_16k-common")
_VAD_MODEL = Path("embedded_vad")
_CODE = Path(__file__).with_name("funasr_models.py")
_PROBE_TIMEOUT_S = 120.0
# All that the script imports, and the folder that its name of the recogniser stands for.
_PROBE = """
import json, funasr, scipy, torch, websockets
from funasr.download.name_maps_from_hub import name_maps_ms
versions = {module.__name__: module.__version__ for module in (funasr, torch)}
print(json.dumps({"versions": versions, "recogniser": name_maps_ms["paraformer-zh"]}))
"""
# A proxy that nobody listens on: it asks PyPI for a newer funasr, and must not download models.
_NO_NETWORK = {
    f"{scheme}_proxy": "http://127.0.0.1:9" for scheme in ("http", "https", "HTTP", "HTTPS")
}


class FunasrError(RuntimeError):
    """FunASR's server cannot run; the message says what is missing."""


@dataclass(frozen=True)
class FunasrInstallation:
    """What the server runs from.

    Attributes:
        python: an interpreter with torch and funasr.
        script: the server.
        recogniser: what it calls its offline recogniser, a relative path.
        versions: by package.
    """

    python: Path
    script: Path
    recogniser: str
    versions: dict[str, str]


def find_funasr(checkout: str | None, python: str) -> FunasrInstallation:
    """Look for the server and for what it needs.

    Args:
        checkout: a checkout of FunASR, the value of `CHECKOUT_VARIABLE`; None where it is not set.
        python: the interpreter, a path or a name on PATH.

    Raises:
        FunasrError: something is missing.
    """
    if not checkout:
        raise FunasrError(
            f"FunASR server: expected {CHECKOUT_VARIABLE} to name a checkout of "
            "https://github.com/modelscope/FunASR; it is not set"
        )
    script = Path(checkout).absolute() / _SCRIPT
    if not script.is_file():
        raise FunasrError(f"FunASR server: {CHECKOUT_VARIABLE}={checkout} has no {_SCRIPT}")
    found = shutil.which(python)
    if found is None:
        raise FunasrError(f"FunASR server: expected an interpreter; {python} is none")
    probe = subprocess.run(
        [found, "-c", _PROBE], capture_output=True, text=True, timeout=_PROBE_TIMEOUT_S
    )
    if probe.returncode:
        reason = (probe.stderr.strip().splitlines() or ["it said nothing"])[-1]
        raise FunasrError(
            f"FunASR server: {python} needs funasr, torch, scipy and websockets, {reason}; "
            "name another interpreter with --funasr-python"
        )
    answer: dict[str, Any] = json.loads(probe.stdout.splitlines()[-1])
    # not resolved: a virtual environment's interpreter is a link to another's
    return FunasrInstallation(
        Path(found).absolute(), script, answer["recogniser"], answer["versions"]
    )


class FunasrServer(WebsocketServer):
    """The server process, as a context manager.

    Args:
        installation: what it runs from.
        folder: of `prepare_folder`.
        threads: of torch, for each call.
        calls: recognitions at a time.
        log: its output.
    """

    def __init__(
        self, installation: FunasrInstallation, folder: Path, threads: int, calls: int, log: Path
    ) -> None:
        super().__init__(
            command(installation, threads, calls),
            log,
            folder,
            _NO_NETWORK,
            funasr_protocol.SUBPROTOCOLS,
        )

    def recognise(self, recording: Recording) -> str:
        """Let it recognise one recording."""
        return funasr_protocol.recognise(self.url, recording)


def command(installation: FunasrInstallation, threads: int, calls: int) -> list[str]:
    """Return the server's command line without its port.

    Args:
        installation: what it runs from.
        threads: of torch, for each call.
        calls: recognitions at a time.
    """
    options = {
        "host": "127.0.0.1",
        "certfile": "",  # no TLS
        "device": "cpu",
        "ngpu": "0",
        "ncpu": str(threads),
        "concurrent_asr_offline": str(calls),
        # FunASR keeps the settings of a call in the model, so that two would mix up their caches
        "concurrent_vad": "1",
        "asr_model": installation.recogniser,
        "asr_model_online": str(KINDS["paraformer"].embedded),  # always loaded, never asked here
        "vad_model": str(_VAD_MODEL),
        "punc_model": "",  # none
    }
    words = [f"--{name}={value}" for name, value in options.items()]
    return [str(installation.python), str(installation.script), *words]


def require_weights(source: Path) -> None:
    """Check that an exported model has what FunASR's `AutoModel` loads.

    Raises:
        FunasrError: it has not.
    """
    for name in ("model.pt", "configuration.json"):
        if not (source / name).is_file():
            raise FunasrError(
                f"FunASR server: expected {source / name}; random models get it with "
                "`python -m scripts.export_random_models … --torch`"
            )


def prepare_folder(installation: FunasrInstallation, source: Path, folder: Path) -> Path:
    """Make the folder in which the server finds its models under the names that it has for them.

    Args:
        installation: what it runs from.
        source: the exported model, with torch's weights.
        folder: written anew.
    """
    folder = folder.absolute()
    shutil.rmtree(folder, ignore_errors=True)
    recogniser = folder / installation.recogniser
    recogniser.parent.mkdir(parents=True)
    recogniser.symlink_to(source.absolute(), target_is_directory=True)
    code = str(shutil.copy(_CODE, folder))
    _describe(folder / _SPEAKER_MODEL, code, {"model": "NoSpeaker"}, {})
    vad = KINDS["vad"].embedded
    settings = yaml.safe_load((vad / "config.yaml").read_text(encoding="utf-8"))
    files = {
        "init_param": str(vad / "model.pt"),
        "frontend_conf": {"cmvn_file": str(vad / "am.mvn")},
    }
    _describe(folder / _VAD_MODEL, code, {**settings, "model": "DoubtfulVad"}, files)
    return folder


def _describe(
    folder: Path, code: str, settings: Mapping[str, Any], files: Mapping[str, Any]
) -> None:
    """Write a model whose class is in a file of ours, as FunASR's `AutoModel` finds it."""
    folder.mkdir(parents=True)
    config = {**settings, "trust_remote_code": True, "remote_code": code}
    (folder / "config.yaml").write_text(yaml.safe_dump(config), encoding="utf-8")
    metas = {"file_path_metas": {**files, "config": "config.yaml"}}
    (folder / "configuration.json").write_text(json.dumps(metas), encoding="utf-8")
