"""Measures the embedded speaker model: equal error rate, and who speaks when in made meetings.

    pip install pyannote.metrics
    python -m lab.training.evaluate_speakers --card

Voices and texts are those of no training and of no tuning: what is chosen is chosen by `--tuning`,
which has others. Speech is found by the embedded VAD; windows, clusters and turns are the file
pipeline's, with the models in this process. Error rates are those of pyannote.metrics with a collar
of 0.25 s, overlaps counted.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_client.diarisation.finder import SpeakerFinder
from asr_client.diarisation.windows import windows_of
from asr_client.files import Segment
from asr_client.results import SpeakerTurn
from asr_client.speaker_count import SpeakerCount
from asr_contract import SAMPLE_RATE
from asr_core.features import Waveform
from asr_core.speakers import SpeakerFbank
from asr_server.graphs.session import Session

from .augmentation import degrade_for_test
from .cards import percent, replace_figures
from .equal_error_rate import EqualError, equal_error_rate
from .exported_graphs import ExportedVad
from .meetings import Meeting, make_meeting
from .speaker_recordings import SpeakerMaker
from .synthesiser import SynthesisError

COLLAR_S = 0.25
EER_SPEAKERS, EER_SENTENCES = 60, 5
MEETINGS = 60  # twelve of each number of speakers, 2 to 6
OVERLAP_SHARE = 0.1
CARD_BEGIN = "<!-- figures: python -m lab.training.evaluate_speakers --card -->"
Case = tuple[float, bool]
"""The share of overlaps, and whether the number of speakers is told."""
MODELS = Path(__file__).parents[2] / "embedded_models"


class SpeakerGraph:
    """An exported speaker model, recordings one by one."""

    def __init__(self, path: Path) -> None:
        self._graph = Session(path, threads=1, optimise=True)
        (self._input,) = self._graph.input_shapes
        self._extract = SpeakerFbank()

    def __call__(self, waveform: Waveform) -> NDArray[np.float32]:
        """Return the embedding, of length one."""
        found = self._graph({self._input: self._extract(waveform)[None]})["embedding"][0]
        return np.asarray(found / np.linalg.norm(found), np.float32)


def measure_equal_error(embed: SpeakerGraph, seconds: float, *, held_out: bool) -> EqualError:
    """The equal error rate of all pairs of recordings of so many seconds, noisy."""
    maker = SpeakerMaker(f"speakers {'test' if held_out else 'tuning'}", held_out=held_out)
    embeddings, speakers = [], []
    for number in range(EER_SPEAKERS):
        language = maker.language()
        voice = maker.speaker(number, language)
        for _ in range(EER_SENTENCES):
            try:
                parts = [maker.say(voice, language) for _ in range(1 + int(seconds // 2))]
            except SynthesisError:
                continue
            sound = degrade_for_test(maker.noise_rng, np.concatenate(parts))
            sound = sound[: int(seconds * SAMPLE_RATE)]
            if len(sound) > 0.8 * seconds * SAMPLE_RATE:
                embeddings.append(embed(sound))
                speakers.append(number)
    return equal_error_rate(np.stack(embeddings), np.array(speakers))


@dataclass(frozen=True)
class HeardMeeting:
    """A meeting, and the windows over the speech that the VAD finds: their times and voices."""

    meeting: Meeting
    times: list[tuple[int, int]]
    voices: NDArray[np.float32]

    def turns(self, speakers: SpeakerCount) -> list[SpeakerTurn]:
        """Who speaks when, by the file pipeline's parts."""
        finder = SpeakerFinder(speakers)
        finder.add(self.times, self.voices)
        return finder.turns()


def hear(embed: SpeakerGraph, vad: ExportedVad, meeting: Meeting) -> HeardMeeting:
    """Embed the windows of a meeting."""
    times, voices = [], []
    ((*spans,),) = vad.segments([meeting.waveform], max_single_segment_time=30_000)
    for start_ms, end_ms in spans:
        samples = meeting.waveform[start_ms * 16 : end_ms * 16]
        for window in windows_of(Segment(start_ms, end_ms, samples)):
            times.append((window.start_ms, window.end_ms))
            voices.append(embed(window.waveform))
    return HeardMeeting(meeting, times, np.stack(voices))


def error_rate(metric: Any, meeting: Meeting, turns: list[SpeakerTurn]) -> float:
    """The diarisation error rate of one meeting; the metric adds it to its sum."""
    from pyannote.core import Annotation, Timeline
    from pyannote.core import Segment as Stretch

    reference, hypothesis = Annotation(), Annotation()
    for number, each in enumerate(meeting.utterances):
        reference[Stretch(each.start_s, each.end_s), number] = f"voice {each.speaker}"
    for number, turn in enumerate(turns):
        stretch = Stretch(turn.start_ms / 1000, turn.end_ms / 1000)
        hypothesis[stretch, number] = turn.speaker
    whole = Timeline([Stretch(0, len(meeting.waveform) / SAMPLE_RATE)])
    return float(metric(reference, hypothesis, uem=whole))


@dataclass(frozen=True)
class MeetingFigures:
    """What is wrong in meetings: shares of the speech, which add up to the error rate.

    Attributes:
        missed, false_alarm, confused: speech without a speaker, a speaker without speech, another
            speaker's name.
        right, count: meetings with the right number of speakers, and all.
    """

    missed: float
    false_alarm: float
    confused: float
    right: int
    count: int

    @property
    def error_rate(self) -> float:
        """The diarisation error rate."""
        return self.missed + self.false_alarm + self.confused


def measure_meetings(meetings: list[HeardMeeting], told: bool) -> MeetingFigures:
    """Measure all meetings together."""
    from pyannote.metrics.diarization import DiarizationErrorRate

    metric, right = DiarizationErrorRate(collar=COLLAR_S), 0
    for heard in meetings:
        meeting = heard.meeting
        turns = heard.turns(meeting.speakers if told else "auto")
        own = error_rate(metric, meeting, turns)
        found = len({turn.speaker for turn in turns})
        right += found == meeting.speakers
        print(
            f"  {meeting.name}: {meeting.speakers} speakers, {found} found, {own:.1%}", flush=True
        )
    found = metric[:]
    missed, false_alarm, confused = (
        float(found[name] / found["total"])
        for name in ("missed detection", "false alarm", "confusion")
    )
    return MeetingFigures(missed, false_alarm, confused, right, len(meetings))


def card(errors: Mapping[float, EqualError], meetings: Mapping[Case, MeetingFigures]) -> str:
    """Return the card's tables.

    Args:
        errors: seconds → the equal error rate.
        meetings: (share of overlaps, whether the number is told) → what is wrong.
    """
    return "\n".join(
        [
            "| recordings of | equal error rate | cosine |",
            "|---|---|---|",
            *(
                f"| {seconds} s | {percent(each.rate)} | {each.threshold:.2f} |"
                for seconds, each in errors.items()
            ),
            "",
            "| overlap | number | error rate | missed | false alarm | confused | number right |",
            "|---|---|---|---|---|---|---|",
            *(
                f"| {100 * share:.0f} % | {'told' if told else 'found'} | "
                f"{percent(each.error_rate)} | {percent(each.missed)} | "
                f"{percent(each.false_alarm)} | {percent(each.confused)} | "
                f"{each.right} of {each.count} |"
                for (share, told), each in meetings.items()
            ),
        ]
    )


def main() -> None:
    """Command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--model", type=Path, default=MODELS / "speaker" / "model.onnx")
    parser.add_argument("--meetings", type=int, default=MEETINGS)
    parser.add_argument("--seconds", type=float, nargs="*", default=[1.5, 4.0])
    parser.add_argument(
        "--tuning", action="store_true", help="other voices, by which constants may be chosen"
    )
    parser.add_argument("--card", action="store_true", help="write the figures into the card")
    arguments = parser.parse_args()
    if arguments.card and arguments.tuning:
        parser.error("--card: expected without --tuning")
    embed, vad = SpeakerGraph(arguments.model), ExportedVad(MODELS / "vad")
    errors = {}
    for seconds in arguments.seconds:
        found = measure_equal_error(embed, seconds, held_out=not arguments.tuning)
        errors[seconds] = found
        print(
            f"equal error rate, {seconds} s: {found.rate:.1%} at a cosine of {found.threshold:.2f}"
        )
    seed = "dev" if arguments.tuning else "card"
    figures: dict[Case, MeetingFigures] = {}
    for share in (0.0, OVERLAP_SHARE):
        made = (
            make_meeting(f"{seed} {k} {share}", 2 + k % 5, share, held_out=not arguments.tuning)
            for k in range(arguments.meetings)
        )
        meetings = [hear(embed, vad, meeting) for meeting in made]
        for told in (True, False):
            print(f"overlap {share:.0%}, number {'told' if told else 'found'}")
            figures[share, told] = measure_meetings(meetings, told)
    text = card(errors, figures)
    print(text)
    if arguments.card:
        replace_figures(arguments.model.parent / "README.md", CARD_BEGIN, text)


if __name__ == "__main__":
    main()
