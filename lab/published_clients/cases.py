"""What is run of each client, and what has to come."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

DRIVERS = Path(__file__).parent / "drivers"


@dataclass(frozen=True)
class Case:
    """A client and what it is asked.

    Attributes:
        client: its name, and the version where a package says it.
        what: for the table.
        environment: whose interpreter runs it: a key of `install.PYTHON`, or "node".
        command: arguments behind the interpreter; `{ws}`, `{http}`, `{realtime}`
            (as `{http}`, for websockets), `{host}`, `{port}`, `{triton}`
            (host:port of its gRPC), `{triton_port}`, `{wav}`, `{manifest}`, `{funasr}`,
            `{triton_asr_client}` and `{certificate}` stand for what their names say.
        expects: which texts it has to print, keys of what `expected_texts` gives.
        also: what its output has to hold beside.
        needs: checkouts without which it cannot run: "funasr", "triton_asr_client".
        recorded: name of its exchanges with the gateway, which the tests replay; "" for none.
        service: of the gateway: "2pass", or "offline" as FunASR's offline server.
        tls: whether the gateway speaks TLS, with a certificate of its own.
        variables: of the environment, with the same names in braces.
    """

    client: str
    what: str
    environment: str
    command: Sequence[str]
    expects: Sequence[str]
    also: Sequence[str] = ()
    needs: Sequence[str] = ()
    recorded: str = ""
    service: str = "2pass"
    tls: bool = False
    variables: dict[str, str] = field(default_factory=dict)


def _library(client: str, what: str, environment: str, driver: str, *arguments: str) -> Case:
    return Case(
        client,
        what,
        environment,
        (str(DRIVERS / driver), *arguments, "{wav}"),
        ("sensevoice",),
        recorded=driver.partition(".")[0],
    )


_WSS = "{funasr}/runtime/python/websocket/funasr_wss_client.py"
_TRITON = "{funasr}/runtime/triton_gpu/client"
_NANO = "{funasr}/examples/industrial_data_pretraining/fun_asr_nano"
HOTWORDS = "王芳 南京"
_MODES = {"offline": "sensevoice", "2pass": "sensevoice", "online": "online 5,10,5"}


def _websocket(mode: str, file: str, service: str = "2pass") -> Case:
    expected = "mp3" if file == "{mp3}" else _MODES[mode]
    connection = ("--host", "{host}", "--port", "{port}", "--ssl", "0", "--mode", mode)
    suffix = file.strip("{}")
    return Case(
        "FunASR `funasr_wss_client.py`",
        f"{mode}, {suffix}" + (", server `--service offline`" if service == "offline" else ""),
        "funasr",
        (_WSS, *connection, "--audio_in", file),
        (expected,),
        also=("closed normally",),
        needs=("funasr",),
        recorded=f"funasr_wss_client_{mode}_{service}" if suffix == "wav" else "",
        service=service,
    )


def _last_message(mode: str) -> Case:
    return Case(
        "FunASR `funasr_client_api.py`",
        f"{mode}; messages that settle text, and the last, which it returns",
        "funasr",
        (str(DRIVERS / "funasr_client_api.py"), "{funasr}", "{host}", "{port}", mode, "{wav}"),
        ("online 0,10,5" if mode == "online" else "sensevoice",),
        needs=("funasr",),
        recorded=f"funasr_client_api_{mode}",
    )


CASES = (
    *(_websocket(mode, "{wav}") for mode in _MODES),
    *(_websocket(mode, "{mp3}") for mode in ("offline", "2pass")),
    _websocket("offline", "{wav}", service="offline"),
    *(_last_message(mode) for mode in ("2pass", "online")),
    _library(
        "funasr-client 0.1.6", "offline, 2pass", "funasr-client", "funasr_client_package.py", "{ws}"
    ),
    _library(
        "funasr-python 0.1.5",
        "a file in its default mode (2pass), offline, online",
        "funasr-python",
        "funasr_python_package.py",
        "{ws}",
    ),
    Case(
        "FunASR `fun_asr_nano/client_python.py`",
        "the realtime server's commands: START, audio, STOP",
        "funasr",
        (f"{_NANO}/client_python.py", "--server", "{ws}", "--file", "{wav}"),
        ("sentence 1", "sentence 2"),
        needs=("funasr",),
        recorded="funasr_realtime",
    ),
    Case(
        "FunASR `fun_asr_nano/client_test.py`",
        "the same and HOTWORDS; its own three tests",
        "funasr",
        (
            f"{_NANO}/client_test.py",
            *("--server", "{ws}", "--file", "{wav}", "--hotwords", HOTWORDS.replace(" ", ",")),
        ),
        ("hotwords 1", "hotwords 2"),
        also=("3 passed, 0 failed",),
        needs=("funasr",),
    ),
    Case(
        "FunASR `triton_gpu/client/client.py`",
        "infer_pipeline, a file",
        "funasr",
        (
            f"{_TRITON}/client.py",
            *("--url", "{triton}", "--model_name", "infer_pipeline", "--audio_file", "{wav}"),
        ),
        ("paraformer",),
        needs=("funasr",),
    ),
    Case(
        "FunASR `triton_gpu/client/speech_client.py`",
        "streaming_paraformer, a stream",
        "funasr",
        (str(DRIVERS / "triton_streaming.py"), "{funasr}", "{triton}", "{wav}"),
        ("streaming",),
        needs=("funasr",),
    ),
    *(
        Case(
            "FunASR `decode_manifest_triton_wo_cuts.py`",
            f"{model}{', --streaming' if streaming else ''} (icefall's report replaced by a print)",
            "funasr",
            (
                f"{_TRITON}/decode_manifest_triton_wo_cuts.py",
                *("--server-addr", "{host}", "--server-port", "{triton_port}", "--compute-cer"),
                *("--model-name", model, "--num-tasks", "2", "--manifest-filename", "{manifest}"),
                *(("--streaming",) if streaming else ()),
            ),
            () if streaming else ("paraformer",),
            also=("RTF",),
            needs=("funasr",),
            variables={"PYTHONPATH": str(DRIVERS / "stand_in")},
        )
        for model, streaming in (("infer_pipeline", False), ("streaming_paraformer", True))
    ),
    *(
        Case(
            "Triton-ASR-Client `client.py`",
            model,
            "funasr",
            (
                str(DRIVERS / "triton_asr_client.py"),
                "{triton_asr_client}",
                *("--server-addr", "{host}", "--server-port", "{triton_port}", "--compute-cer"),
                *("--model-name", model, "--num-tasks", "1", "--audio-path", "{wav}"),
            ),
            (expected,),
            also=("RTF",),
            needs=("triton_asr_client",),
        )
        for model, expected in (("sensevoice", "whole"), ("infer_pipeline", "paraformer"))
    ),
    Case(
        "Triton-ASR-Client, its streaming code",
        "streaming_paraformer (it keeps the last piece's text)",
        "funasr",
        (
            str(DRIVERS / "triton_asr_client_streaming.py"),
            *("{triton_asr_client}", "{triton}", "{wav}"),
        ),
        (),
        also=("the last piece: ",),
        needs=("triton_asr_client",),
    ),
    _library(
        "openai 3.57.0 (Python)",
        "json with logprobs, verbose_json (its own models, strict), words, srt, stream",
        "openai",
        "openai_python.py",
        "{http}",
    ),
    _library(
        "openai 6.49.0 (Node)",
        "json, verbose_json, words, stream",
        "node",
        "openai_node.mjs",
        "{http}",
    ),
    _library(
        "Vercel `ai` 6.0.326, `@ai-sdk/openai` 3.0.141",
        "json, words, segments",
        "node",
        "vercel_ai.mjs",
        "{http}",
    ),
    _library("litellm 1.110.2", "json, verbose_json", "openai", "litellm_python.py", "{http}"),
    Case(
        "livekit-plugins-openai 1.8.9",
        "recognize",
        "openai",
        (str(DRIVERS / "livekit_stt.py"), "{http}", "{wav}"),
        ("chinese",),
        recorded="livekit_stt",
    ),
    Case(
        "livekit-plugins-openai 1.8.9",
        "Realtime API (`use_realtime`), at the speed of speech",
        "openai",
        (str(DRIVERS / "livekit_realtime.py"), "{realtime}", "{wav}"),
        ("chinese",),
        recorded="livekit_realtime",
        also=("interim_transcript", "start_of_speech"),
    ),
    Case(
        "openai 3.57.0 (Python)",
        "Realtime API: asynchronous with the server's VAD, blocking with a commit (strict)",
        "openai",
        (str(DRIVERS / "openai_realtime_python.py"), "{http}", "{wav}"),
        ("sensevoice",),
        also=("deltas", "with a VAD", "with a commit"),
    ),
    Case(
        "openai 6.49.0 (Node)",
        "Realtime API with the server's VAD (its client speaks TLS only)",
        "node",
        (str(DRIVERS / "openai_realtime_node.mjs"), "{http}", "{wav}"),
        ("sensevoice",),
        tls=True,
        variables={"NODE_EXTRA_CA_CERTS": "{certificate}"},
    ),
    _library(
        "SpeechRecognition 3.17.0",
        "recognize_openai",
        "openai",
        "speech_recognition_package.py",
        "{http}",
    ),
    _library(
        "requests 2.21.0",
        "a file named 录音.wav",
        "requests",
        "openai_old_requests.py",
        "{http}",
    ),
)
