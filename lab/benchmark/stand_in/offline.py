"""An encoder that costs what a GPU's does: a fixed time for a run, whatever the batch.

Triton loads this file in the place of `sensevoice_encoder`'s graph, for the benchmark `glue`. Its
answer has about as many tokens as speech has; they mean nothing.
"""

import json
import re
import time
from collections.abc import Mapping, Sequence
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import numpy as np
import triton_python_backend_utils as pb_utils

PROMPT_FRAMES = 4
FRAMES_PER_TOKEN = 4  # 60 ms each: about four characters a second
FIRST_ID, IDS = 30, 800  # of the embedded vocabulary, behind its tags
CANDIDATES = 8
WAITING = "nv_inference_pending_request_count"


class TritonPythonModel:
    """Waits, and writes down how many rows it had and how many requests still waited."""

    def initialize(self, args: Mapping[str, str]) -> None:
        """Read how long a run takes, and where to write what it saw."""
        parameters = json.loads(args["model_config"])["parameters"]
        values = {name: value["string_value"] for name, value in parameters.items()}
        self.run_s = float(values["run_s"])
        metrics = urlsplit(values["metrics_url"])
        self.metrics = HTTPConnection(metrics.netloc, timeout=10)  # kept: a new one costs more
        self.metrics_page = metrics.path
        counter = f'{WAITING}{{model="{args["model_name"]}"'
        self.mark = re.compile(rf"^{re.escape(counter)}.*\s(\S+)$".encode(), re.MULTILINE)
        self.runs_file = Path(values["runs_file"])

    def execute(self, requests: Sequence[Any]) -> list[Any]:
        """Take the time of a run."""
        begun = time.monotonic()
        rows = 0
        responses = []
        left_waiting = self.waiting()
        for request in requests:
            lengths = pb_utils.get_input_tensor_by_name(request, "speech_lengths").as_numpy()
            rows += len(lengths)
            responses.append(self.answer(lengths.ravel()))
        with self.runs_file.open("a", encoding="utf-8") as runs:
            print(rows, left_waiting, file=runs)
        time.sleep(max(0.0, self.run_s - (time.monotonic() - begun)))
        return responses

    def waiting(self) -> int:
        """Return how many requests Triton has in this model's queue at the start of a run."""
        self.metrics.request("GET", self.metrics_page)
        page = self.metrics.getresponse().read()
        return int(sum(map(float, self.mark.findall(page))))

    def answer(self, frames: Any) -> Any:
        """Return tokens at every fourth frame, and blanks between them."""
        width = int(frames.max()) + PROMPT_FRAMES
        ids = np.zeros((len(frames), width), np.int32)
        spoken = ids[:, PROMPT_FRAMES::FRAMES_PER_TOKEN]
        spoken[:] = FIRST_ID + np.arange(spoken.shape[1]) % IDS
        outputs = {
            "token_ids": ids,
            "token_scores": np.full(ids.shape, -0.1, np.float32),
            "candidate_ids": ids[..., None] + np.arange(CANDIDATES, dtype=np.int32),
            "candidate_scores": np.full((*ids.shape, CANDIDATES), -0.1, np.float32),
            "encoder_out_lens": (frames + PROMPT_FRAMES).astype(np.int32)[:, None],
        }
        tensors = [pb_utils.Tensor(name, array) for name, array in outputs.items()]
        return pb_utils.InferenceResponse(tensors)
