"""Measures the embedded VAD on recordings of held-out voices and texts, without torch.

    python -m lab.training.evaluate_vad --json .cache/vad.json

Frames: the share of speech that is missed, and of the rest that is called speech, at the default
thresholds; the model is `LABEL_DELAY_FRAMES` late by design, which is taken off. Segments: how far
their ends lie from where the synthesiser fell silent. A segment shall begin some 200 ms before the
speech and end 100 ms behind it (FunASR's look-back and look-ahead), so signed errors are given.
Needs espeak-ng, and festival with festvox-kdlpc16k for the engine that training never heard.
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from asr_core.features import Waveform

from .augmentation import degrade_for_test, set_peak, to_int16_grid
from .exported_graphs import ExportedVad
from .heldout_sets import nonspeech_set
from .synthesiser import Synthesiser
from .vad_frames import LABEL_DELAY_FRAMES, SPEECH_THRESHOLD
from .vad_recordings import LabelledRecording, Labels, RecordingMaker
from .voices import HELD_OUT_ENGLISH_ENGINE

FRAME_MS = 10
END_SILENCE_MS = 800
"""The default max_end_silence_time: shorter pauses end no segment."""
Spans = list[tuple[int, int]]


def clean(rng: np.random.Generator, waveform: Waveform) -> Waveform:
    """No room and no noise."""
    return to_int16_grid(set_peak(waveform, -3.0))


SETS = {
    "clean": (clean, None),
    "noisy": (degrade_for_test, None),
    f"noisy {HELD_OUT_ENGLISH_ENGINE}": (degrade_for_test, HELD_OUT_ENGLISH_ENGINE),
}
"""How the recordings of a set were degraded, and who speaks; "noisy" is 10-20 dB SNR."""


def test_recordings(name: str, count: int) -> Iterator[LabelledRecording]:
    """The recordings of a set; the same each time."""
    degrade, engine_voice = SETS[name]
    maker = RecordingMaker(f"vad test {name}", True, Synthesiser(), degrade, engine_voice)
    for _ in range(count):
        yield maker.recording()


def spans(speech: Labels, bridged_ms: int) -> Spans:
    """Stretches of speech in ms, those closer than `bridged_ms` joined."""
    edges = np.flatnonzero(np.diff(np.concatenate([[False], speech, [False]]).astype(np.int8)))
    joined: Spans = []
    for start, end in (edges.reshape(-1, 2) * FRAME_MS).tolist():
        if joined and start - joined[-1][1] < bridged_ms:
            joined[-1] = (joined[-1][0], end)
        else:
            joined.append((start, end))
    return joined


@dataclass
class Tally:
    """Counts over a set."""

    missed: int = 0
    speech: int = 0
    false: int = 0
    other: int = 0
    segments: int = 0
    expected: int = 0
    unmatched: int = 0
    start_errors_ms: list[int] = field(default_factory=list)
    end_errors_ms: list[int] = field(default_factory=list)

    def add(self, vad: ExportedVad, recording: LabelledRecording) -> None:
        """Run the VAD on a recording and count."""
        probs = vad.silence_probs(recording.waveform)[LABEL_DELAY_FRAMES:]
        found = 1 - probs > SPEECH_THRESHOLD
        speech = recording.speech[: len(found)]
        self.missed += int((~found[: len(speech)] & speech).sum())
        self.false += int((found[: len(speech)] & ~speech).sum())
        self.speech += int(speech.sum())
        self.other += int((~speech).sum())
        self._compare(vad.segments([recording.waveform])[0], spans(speech, END_SILENCE_MS))

    def _compare(self, segments: Spans, expected: Spans) -> None:
        """Match each expected span with the segments that overlap it."""
        self.segments += len(segments)
        self.expected += len(expected)
        for start, end in expected:
            overlapping = [s for s in segments if s[0] < end and s[1] > start]
            if not overlapping:
                self.unmatched += 1
                continue
            # Pauses near max_end_silence_time may or may not cut; only ends that no other speech
            # is near say how well an end is found.
            if sum(1 for s in expected if s[0] < overlapping[-1][1] and s[1] > start) == 1:
                self.start_errors_ms.append(overlapping[0][0] - start)
                self.end_errors_ms.append(overlapping[-1][1] - end)

    def figures(self) -> dict[str, float]:
        """Shares, and signed errors in ms."""
        ends, starts = np.array(self.end_errors_ms), np.array(self.start_errors_ms)
        return {
            "frame_error": (self.missed + self.false) / (self.speech + self.other),
            "frame_miss": self.missed / self.speech,
            "frame_false_alarm": self.false / self.other,
            "segments": self.segments,
            "expected_segments": self.expected,
            "not_found": self.unmatched,
            "start_error_median_ms": float(np.median(starts)),
            "start_error_p5_ms": float(np.percentile(starts, 5)),
            "start_error_p95_ms": float(np.percentile(starts, 95)),
            "end_error_median_ms": float(np.median(ends)),
            "end_error_p5_ms": float(np.percentile(ends, 5)),
            "end_error_p95_ms": float(np.percentile(ends, 95)),
        }


def nonspeech_figures(vad: ExportedVad) -> dict[str, float]:
    """How many clips without speech have a segment."""
    clips = list(nonspeech_set())
    with_segment = sum(bool(vad.segments([clip])[0]) for clip in clips)
    return {"clips": len(clips), "with_segment": with_segment}


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=Path("embedded_models/vad"))
    parser.add_argument("--recordings", type=int, default=40, help="of each set")
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    vad = ExportedVad(arguments.model)
    report = {"nonspeech": nonspeech_figures(vad)}
    for name in SETS:
        tally = Tally()
        for recording in test_recordings(name, arguments.recordings):
            tally.add(vad, recording)
        report[name] = tally.figures()
    for name, row in report.items():
        for figure, value in row.items():
            shown = f"{100 * value:7.2f} %" if figure.startswith("frame_") else f"{value:7.0f}"
            print(f"{name:22s} {figure:24s} {shown}")
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        arguments.json.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
