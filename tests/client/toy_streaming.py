"""A streaming model without a model: the sequence contract of `streaming_paraformer`.

`toy_stream` writes a letter for every 100 ms of audio: a, b, c, … The newest letter is held back
(it may still change) until the next one or END; a rest of less than 100 ms becomes "." at END.
A sample of a value in `TROUBLE` asks for trouble. What arrived is left in files, see `Received`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from asr_server.run import TritonServer

LETTER_SAMPLES = 1600
SESSION_LIMIT = 4
IDLE_TIMEOUT_S = 300  # longer than any test takes
TROUBLE = {"crash": 2.0, "fail": 3.0, "hold": 4.0, "forget": 5.0, "garble": 7.0}

_TENSORS = """
max_batch_size: 8
input [
  { name: "WAV" data_type: TYPE_FP32 dims: [ -1 ] allow_ragged_batch: true },
  { name: "WAV_LENS" data_type: TYPE_INT32 dims: [ 1 ] }
]
output [
  { name: "TRANSCRIPTS" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "TEXT" data_type: TYPE_STRING dims: [ 1 ] },
  { name: "TOKENS" data_type: TYPE_STRING dims: [ -1 ] },
  { name: "TIMESTAMPS" data_type: TYPE_INT32 dims: [ -1, 2 ] },
  { name: "CONFIDENCE" data_type: TYPE_FP32 dims: [ -1 ] },
  { name: "IS_FINAL" data_type: TYPE_BOOL dims: [ 1 ] }
]
"""

_INPUTS = ("WAV", "WAV_LENS")
_OUTPUTS = ("TRANSCRIPTS", "TEXT", "TOKENS", "TIMESTAMPS", "CONFIDENCE", "IS_FINAL")

_ENSEMBLE = (
    """
name: "toy_stream"
platform: "ensemble"
ensemble_scheduling { step [ {
  model_name: "toy_stream_core"
  model_version: -1
"""
    + "".join(f'  input_map {{ key: "{name}" value: "{name}" }}\n' for name in _INPUTS)
    + "".join(f'  output_map {{ key: "{name}" value: "{name}" }}\n' for name in _OUTPUTS)
    + "} ] }\n"
)

_CORE = f"""
name: "toy_stream_core"
backend: "python"
instance_group [ {{ kind: KIND_CPU }} ]
sequence_batching {{
  max_sequence_idle_microseconds: {IDLE_TIMEOUT_S * 1_000_000}
  oldest {{ max_candidate_sequences: 64 }}
}}
"""

_MODEL = f"""
import json
import os
import time
from pathlib import Path

import numpy as np
import triton_python_backend_utils as pb_utils

TROUBLE = {TROUBLE}


class TritonPythonModel:
    def initialize(self, args):
        self.folder = Path(args["model_repository"]).parent / "received"
        self.folder.mkdir(exist_ok=True)
        self.sessions = {{}}

    def execute(self, requests):
        return [self.answer(request) for request in requests]

    def answer(self, request):
        wav = pb_utils.get_input_tensor_by_name(request, "WAV").as_numpy()[0]
        length = pb_utils.get_input_tensor_by_name(request, "WAV_LENS").as_numpy()
        key, flags = request.correlation_id(), request.flags()
        start, end = bool(flags & 1), bool(flags & 2)
        event = dict(id=key, start=start, end=end, samples=len(wav), length=length.tolist())
        event["parameters"] = json.loads(request.parameters())
        event["cancelled"], event["timeout"] = request.is_cancelled(), request.timeout()
        with open(self.folder / "events", "a") as log:
            log.write(json.dumps(event) + "\\n")
        asks = lambda name: bool((wav == TROUBLE[name]).any())
        if asks("crash"):
            os._exit(3)
        while asks("hold") and not (self.folder / "go").exists():
            time.sleep(0.02)
        if start:
            self.sessions.pop(key, None)
            if len(self.sessions) >= {SESSION_LIMIT}:
                message = "{SESSION_LIMIT} sessions are open, no more are allowed"
                return self.error(message, "UNAVAILABLE")
            self.sessions[key] = (0, 0)
        if asks("forget"):
            self.sessions.pop(key, None)
        if key not in self.sessions:
            return self.error(f"the state of sequence {{key}} is not known", "NOT_FOUND")
        if asks("fail"):
            del self.sessions[key]
            return self.error("no luck", "INTERNAL")
        with open(self.folder / str(key), "ab") as file:
            file.write(wav.tobytes())
        samples, told = self.sessions[key]
        samples += len(wav)
        letters = [chr(ord("a") + i % 26) for i in range(samples // {LETTER_SAMPLES})]
        final = len(letters) if end else max(len(letters) - 1, 0)
        if end and samples % {LETTER_SAMPLES}:
            letters.append(".")
            final += 1
        new = letters[told:final]
        self.sessions[key] = (samples, final)
        if end:
            del self.sessions[key]
        text = "".join(letters)
        if asks("garble"):
            text = "?" + text
        times = [[60 * i, 60 * i + 60] for i in range(told, final)]
        string = lambda text: np.array([[text.encode()]], np.object_)
        tokens = np.array([letter.encode() for letter in new], np.object_).reshape(1, -1)
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("TRANSCRIPTS", string("".join(new))),
                pb_utils.Tensor("TEXT", string(text)),
                pb_utils.Tensor("TOKENS", tokens),
                pb_utils.Tensor("TIMESTAMPS", np.array(times, np.int32).reshape(1, -1, 2)),
                pb_utils.Tensor("CONFIDENCE", np.full((1, len(new)), 0.5, np.float32)),
                pb_utils.Tensor("IS_FINAL", np.array([[end]])),
            ]
        )

    def error(self, message, kind):
        code = getattr(pb_utils.TritonError, kind)
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(message, code))
"""


def write_repository(folder: Path) -> Path:
    """Write the repository into an empty folder and return it."""
    for name, config in {"toy_stream": _ENSEMBLE, "toy_stream_core": _CORE}.items():
        (folder / name / "1").mkdir(parents=True)
        (folder / name / "config.pbtxt").write_text(config + _TENSORS)
    (folder / "toy_stream_core" / "1" / "model.py").write_text(_MODEL)
    return folder


class Received:
    """What has reached the model of a server.

    Args:
        repository: the folder that `write_repository` filled.
    """

    def __init__(self, repository: Path) -> None:
        self._folder = repository / "received"

    def events(self, sequence_id: int) -> list[dict[str, Any]]:
        """The requests of a sequence: flags, samples, parameters."""
        return [event for event in self._all_events() if event["id"] == sequence_id]

    def last_sequence_id(self) -> int | None:
        """The id of the newest sequence; None if there was none yet."""
        starts = [event["id"] for event in self._all_events() if event["start"]]
        return starts[-1] if starts else None

    def _all_events(self) -> list[dict[str, Any]]:
        path = self._folder / "events"
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def audio(self, sequence_id: int) -> np.ndarray:
        """All samples of a sequence, joined."""
        return np.fromfile(self._folder / str(sequence_id), np.float32)

    def release(self) -> None:
        """Let requests that "hold" go on."""
        (self._folder / "go").touch()

    def hold(self) -> None:
        """Make "hold" hold (again)."""
        (self._folder / "go").unlink(missing_ok=True)


class Toy:
    """The server with the model, and what has reached the model."""

    def __init__(self, server: TritonServer, received: Received) -> None:
        self.server = server
        self.received = received

    def url(self, scheme: str) -> str:
        address = self.server.grpc_url if scheme == "grpc" else self.server.http_url
        return f"{scheme}://{address}"


def letters(samples: int) -> str:
    """The text that a stream of so many samples gets."""
    text = "".join(chr(ord("a") + i % 26) for i in range(samples // LETTER_SAMPLES))
    return text + ("." if samples % LETTER_SAMPLES else "")
