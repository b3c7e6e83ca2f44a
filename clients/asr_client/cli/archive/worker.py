"""What is done with one recording of an archive, in a thread here or in a process elsewhere."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass, replace

from asr_contract import SAMPLE_RATE

from ...audio.loading import load_recording
from ...blocking.client import Client
from ...errors import AudioError, ClientClosed
from ...files.options import DEFAULT_IN_FLIGHT
from ...files.sentences import whole_transcript
from ..downloads import local_path
from ..formats import format_line
from ..recognition import Recognition
from ..recovery import FOR_ALL, Recovery
from ..whole_recording import WholeRecording
from .manifest import Entry, Stretch
from .settling import Done, Failed, Settled

# Who cuts by hand or by an aligner rounds; what is missing beyond this is worth a warning.
_ROUNDING_S = 0.1


@dataclass(frozen=True)
class WorkOrder:
    """What workers are told once; plain values, fit for other processes.

    Attributes:
        url, timeout_s, ca_file: of the client.
        recognition: what is asked of the server, with `vad` settled.
        style: the format of the results, "json" or "kaldi".
        server_wait_s: how long a server that is lost is waited for.
    """

    url: str
    timeout_s: float
    ca_file: str | None
    recognition: Recognition
    style: str
    server_wait_s: float


class Worker:
    """Recognises one recording after another; safe to use from several threads.

    Args:
        client: of the server.
        order: what is to be done.
        folder: for recordings that are fetched.
    """

    def __init__(self, client: Client, order: WorkOrder, folder: str) -> None:
        self._client = client
        self._order = order
        self._folder = folder
        self._recovery = Recovery(
            client, order.recognition.model, order.server_wait_s, command="archive"
        )

    def settle(self, entry: Entry) -> Settled:
        """Recognise a recording, again if the server was lost meanwhile.

        Raises:
            ServerStayedAway: the server was lost and did not come back.
            ClientClosed: the run was interrupted.
            Exception: of `FOR_ALL`, what is wrong for every recording.
        """
        try:
            return self._recovery.attempts(lambda: self._recognise(entry))
        except (*FOR_ALL, ClientClosed):
            raise
        except Exception as error:
            message = str(error) or type(error).__name__
            return Failed(message.removeprefix(f"{entry.source.path}: "))

    def _recognise(self, entry: Entry) -> Done:
        started_s = time.monotonic()
        order = self._order
        with local_path(entry.source, self._folder) as path:
            if entry.stretches:
                return self._in_stretches(entry, path, started_s)
            with order.recognition.begin(self._client, path) as transcription:
                transcript = whole_transcript(list(transcription), transcription.summary)
        model = order.recognition.model
        line = format_line(order.style, entry.source, model, transcript, only=False)
        return Done(
            line + "\n",
            transcript.duration_s,
            time.monotonic() - started_s,
            tuple(transcript.summary.warnings),
        )

    def _in_stretches(self, entry: Entry, path: str, started_s: float) -> Done:
        """Load a recording once and recognise its stretches, each in a request of its own."""
        recognition = self._order.recognition
        loaded = load_recording(recognition.audio(path), channels=recognition.channels)
        whole_s = len(loaded.waveform) / SAMPLE_RATE
        cut = [each for each in entry.stretches if each.start_s < whole_s]
        if len(cut) < len(entry.stretches):
            beyond = next(each for each in entry.stretches if each.start_s >= whole_s)
            raise AudioError(
                f"{beyond.utterance_id}: begins at {beyond.start_s:g} s; the recording has "
                f"{whole_s:g} s"
            )
        outcomes = self._client.transcribe_many(
            (
                loaded.waveform[round(each.start_s * SAMPLE_RATE) : _end(each, whole_s)]
                for each in cut
            ),
            concurrency=DEFAULT_IN_FLIGHT,
            model=recognition.model,
            language=recognition.language,
            itn=recognition.itn,
            hotwords=recognition.hotwords,
            sample_rate=SAMPLE_RATE,
        )
        lines: list[str] = []
        warnings = list(loaded.warnings)
        heard_s = 0.0
        for stretch, outcome in zip(cut, outcomes, strict=True):
            transcript = outcome.get()
            own = [*loaded.warnings, *transcript.warnings, *_cut_short(stretch, whole_s)]
            heard_s += transcript.duration_s
            recording = WholeRecording(
                replace(transcript, warnings=own), started_s, round(stretch.start_s * 1000)
            )
            warnings += [warning for warning in own if warning not in warnings]
            whole = whole_transcript(list(recording), recording.summary)
            name = stretch.utterance_id
            source = replace(entry.source, utterance_id=name, label=name)
            lines.append(
                format_line(self._order.style, source, recognition.model, whole, only=False)
            )
        took_s = time.monotonic() - started_s
        return Done("\n".join(lines) + "\n", heard_s, took_s, tuple(warnings))


def _end(stretch: Stretch, whole_s: float) -> int:
    """Return where a stretch ends, in samples."""
    return round(min(stretch.end_s, whole_s) * SAMPLE_RATE)


def _cut_short(stretch: Stretch, whole_s: float) -> Iterator[str]:
    """Yield a warning if a stretch ends behind the recording; without an end it does not."""
    if whole_s + _ROUNDING_S < stretch.end_s < float("inf"):
        yield f"{stretch.utterance_id}: ends at {stretch.end_s:g} s; the recording at {whole_s:g} s"
