"""A server that is none: an `Transport` whose models run in this process.

`vad` is a real FSMN-VAD with random weights, the recogniser says when it was asked for what, and
punctuation puts a full stop behind every third word.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import numpy as np

from asr_client.protocol import InferRequest
from asr_client.transport import HttpRequestStream
from asr_contract import SAMPLE_RATE
from asr_core.vad import VadStream, score_streams
from lab.training.exported_graphs import ExportedVad
from tests.vad_reference import TINY_VAD


@dataclass
class LocalModels:
    """Answers requests.

    Attributes:
        missing: models that are not there.
        ends: as a server that stops, which has none.
        texts: what the recogniser answers, in order of the segments; "words" without end if None.
        failing: number of the segment, from 0, that the recogniser fails at, with `error`.
        delay_s: of each recognition.
        together: so many recognitions wait for each other before the first is answered.
        timed: whether the recogniser gives times.
        language: that the recogniser says it has heard.
        schedule: segments in ms that the VAD finds, whatever it hears; None for those of a model.
    """

    missing: frozenset[str] = frozenset()
    ends: bool = False
    texts: list[str] | None = None
    failing: int | None = None
    error: Exception = field(default_factory=RuntimeError)
    delay_s: float = 0.0
    together: int = 1
    timed: bool = True
    language: str = ""
    schedule: list[tuple[int, int]] | None = None

    def __post_init__(self) -> None:
        self.vad = ExportedVad(TINY_VAD)
        self.streams: dict[int, VadStream] = {}
        self.heard_samples = 0
        self.parameters: list[dict[str, str]] = []
        self.vad_requests = 0
        self.empty_vad_requests = 0
        self.segments_s: list[float] = []
        self.at_a_time = self.most_at_a_time = 0
        self._all_together = asyncio.Event()
        self.punctuated: list[str] = []

    async def server_ready(self, timeout_s: float) -> bool:
        return not self.ends

    async def model_ready(self, name: str, timeout_s: float) -> bool:
        return name not in self.missing and not self.ends

    def open_stream(self) -> HttpRequestStream:
        return HttpRequestStream(self.infer)

    async def infer(self, request: InferRequest, timeout_s: float):
        if request.model_name == "vad":
            return self._detect(request)
        if request.model_name == "punctuation":
            return self._punctuate(request.inputs["TEXT"][0, 0].decode())
        return await self._recognise(request)

    def _detect(self, request: InferRequest):
        step, samples = request.step, request.inputs["WAV"][0]
        self.vad_requests += 1
        self.empty_vad_requests += samples.size == 0
        if step.start:
            self.parameters.append(request.parameters)
            self.streams[step.sequence_id] = self.vad.stream(**request.parameters)
        if self.schedule is not None:
            self.heard_samples += samples.size
            if step.end:
                del self.streams[step.sequence_id]
            return {"SEGMENTS": self._due()}
        stream = self.streams[step.sequence_id]
        stream.push(samples, step.end)
        score_streams([stream], self.vad)
        if step.end:
            del self.streams[step.sequence_id]
        return {"SEGMENTS": np.array(stream.take_segments(), np.int32).reshape(1, -1, 2)}

    def _due(self) -> np.ndarray:
        """What of the schedule has come to its end."""
        due = []
        while self.schedule and self.schedule[0][1] * SAMPLE_RATE // 1000 <= self.heard_samples:
            due.append(self.schedule.pop(0))
        return np.array(due, np.int32).reshape(1, -1, 2)

    async def _recognise(self, request: InferRequest):
        number = len(self.segments_s)
        self.segments_s.append(request.inputs["WAV"].shape[1] / SAMPLE_RATE)
        self.at_a_time += 1
        self.most_at_a_time = max(self.at_a_time, self.most_at_a_time)
        if self.at_a_time >= self.together:
            self._all_together.set()
        try:
            await self._all_together.wait()  # `wait_for` may swallow a cancellation before 3.12
            # The later ones are faster: order must not come from the speed.
            await asyncio.sleep(self.delay_s * (2 if number % 2 == 0 else 0.5))
        finally:
            self.at_a_time -= 1
        if number == self.failing:
            raise self.error
        text = f"word{number}" if self.texts is None else self.texts[number]
        tokens = text.split()
        steps = np.linspace(0, 1000 * self.segments_s[number], len(tokens) + 1).astype(np.int32)
        times = np.stack([steps[:-1], steps[1:]], axis=1)
        return {
            "TRANSCRIPTS": np.array([[text.encode()]], np.object_),
            "DETECTED_LANGUAGE": np.array([[self.language.encode()]], np.object_),
            "TOKENS": np.array([[token.encode() for token in tokens]], np.object_),
            "TIMESTAMPS": (times if self.timed else np.full_like(times, -1))[None],
        }

    def _punctuate(self, text: str):
        self.punctuated.append(text)
        words = text.split()
        marks = ["." if i % 3 == 2 or i == len(words) - 1 else "" for i in range(len(words))]
        starts = [i == 0 or marks[i - 1] == "." for i in range(len(words))]
        words = [w.capitalize() if s else w for w, s in zip(words, starts, strict=True)]
        written = " ".join(word + mark for word, mark in zip(words, marks, strict=True))
        return {
            "TEXT": np.array([[written.encode()]], np.object_),
            "WORDS": np.array([[word.encode() for word in words]], np.object_),
            "MARKS": np.array([[mark.encode() for mark in marks]], np.object_),
        }


def bursts(count: int, speech_s: float = 1.0, pause_s: float = 2.0, seed: int = 0) -> np.ndarray:
    """Noise of the level of speech, with silence between: float32 at 16 kHz."""
    rng = np.random.default_rng(seed)
    silence = np.zeros(int(pause_s * SAMPLE_RATE), np.float32)
    parts = [silence]
    for _ in range(count):
        noise = 0.1 * rng.standard_normal(int(speech_s * SAMPLE_RATE)).astype(np.float32)
        parts += [noise, silence]
    return np.concatenate(parts)
