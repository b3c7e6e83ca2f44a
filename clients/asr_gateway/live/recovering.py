"""Live recognition that survives a restart of Triton: what is not reported yet runs again.

    inbox ──> replay ──> live recognition, and when Triton was away another one ──> report

The audio from the end of what is reported on is kept. A recognition that fails because Triton, or
a process of it, has died is begun anew with it when Triton is back; the client sees a pause. New
audio waits in the inbox meanwhile, and behind that in the client.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable
from dataclasses import replace

from asr_client import FileOptions, Sentence
from asr_client.audio import Waveform
from asr_client.transport import within
from asr_contract import SAMPLE_RATE, ChunkSize

from ..shared import Gateway, TritonAway, TritonWatch, is_outage, log_event
from .first_pass import first_pass
from .inbox import AudioInbox, AudioSource
from .recognition import LiveRecognition
from .reports import Bound, Partial, Report, Spoken
from .retelling import told_length

# The VAD needs to hear what comes before a beginning.
_BEFORE_SAMPLES = SAMPLE_RATE // 2
_SILENCE_SAMPLES = 2 * SAMPLE_RATE


class Replay:
    """An `AudioSource` that can be read again from what is kept.

    Attributes:
        start_samples: where what is kept begins in the utterance.
    """

    def __init__(self, source: AudioSource) -> None:
        self._source = source
        self._kept: deque[Waveform] = deque()
        self._next = 0  # of what is kept
        self.start_samples = 0

    @property
    def late_s(self) -> float:
        """As `AudioSource.late_s`."""
        return self._source.late_s

    async def take(self) -> Waveform | None:
        """As `AudioSource.take`."""
        if self._next < len(self._kept):
            self._next += 1
            return self._kept[self._next - 1]
        piece = await self._source.take()
        if piece is not None:
            self._kept.append(piece)
            self._next += 1
        return piece

    def forget_before(self, samples: int) -> None:
        """Keep no more than what comes behind a place in the utterance."""
        while self._next and self.start_samples + self._kept[0].size <= samples:
            self.start_samples += self._kept.popleft().size
            self._next -= 1

    def rewind(self, samples: int) -> None:
        """Give again what is kept behind a place in the utterance."""
        self.forget_before(samples)
        if self._kept and (passed := samples - self.start_samples) > 0:
            self._kept[0] = self._kept[0][passed:]
            self.start_samples += passed
        self._next = 0

    @property
    def kept_s(self) -> float:
        """How much is kept, in seconds."""
        return sum(piece.size for piece in self._kept) / SAMPLE_RATE


class RecoveringRecognition:
    """Runs one live recognition after another, until the utterance is all reported.

    Args:
        source: the utterance's audio.
        begin: makes a recognition of a source, that reports to a function.
        watch: knows when Triton is back.
        hold_s: how long to wait for it.
        report: as `LiveRecognition`'s; is told times, and numbers of stretches, of the utterance.
    """

    def __init__(
        self,
        source: AudioSource,
        begin: Callable[[AudioSource, Report], LiveRecognition],
        watch: TritonWatch,
        hold_s: float,
        report: Report,
    ) -> None:
        self._replay = Replay(source)
        self._begin = begin
        self._watch = watch
        self._hold_s = hold_s
        self._report_outside = report
        self._live = begin(self, self._report)
        self._offset_samples = 0  # where the recognition of now began, in the utterance
        self._first_index = 0  # number of its first stretch
        self._reports = 0
        # Of the stretch that is spoken: what was told, and what the recognition of now has heard.
        self._open_index, self._told, self._heard = 0, "", ""
        self._told_bounds = {"began": -1, "ended": -1, "reported": -1}  # newest stretch

    @property
    def late_s(self) -> float:
        """As `AudioSource.late_s`."""
        return self._replay.late_s

    async def take(self) -> Waveform | None:
        """As `AudioSource.take`, for the recognition of now."""
        self._replay.forget_before(self._next_place())
        return await self._replay.take()

    async def run(self) -> None:
        """As `LiveRecognition.run`.

        Raises:
            TritonAway: it did not come back in time.
            AsrError: of `asr_client.errors`.
        """
        deadline_s = None
        now_s = asyncio.get_running_loop().time
        while True:
            reports = self._reports
            try:
                return await self._live.run()
            except Exception as error:
                if not is_outage(error) or not self._hold_s:
                    raise
                if deadline_s is None or self._reports > reports:
                    deadline_s = now_s() + self._hold_s
                    log_event("recognition interrupted", held_s=round(self._replay.kept_s, 1))
                try:
                    await within(deadline_s - now_s(), self._watch.back())
                except TimeoutError:
                    raise self._lost() from error
            self._resume()

    def _resume(self) -> None:
        """Begin anew behind what is reported."""
        place = self._next_place()
        self._first_index += self._live.next_report[0]
        self._replay.rewind(place)
        self._offset_samples = place
        self._heard = ""
        self._live = self._begin(self, self._report)
        log_event("recognition resumed", replayed_s=round(self._replay.kept_s, 1))

    def _next_place(self) -> int:
        """Return from where on the utterance is not reported, in samples."""
        live = self._live
        _, start_ms = live.next_report
        if start_ms is None:
            place = live.heard_samples - _SILENCE_SAMPLES
        else:
            place = start_ms * SAMPLE_RATE // 1000 - _BEFORE_SAMPLES
        reported = live.reported_ms * SAMPLE_RATE // 1000
        return self._offset_samples + max(place, reported, 0)

    def _lost(self) -> TritonAway:
        """Say what of the utterance has no text."""
        begin_s = self._next_place() / SAMPLE_RATE
        return TritonAway(
            f"recognition did not come back within {self._hold_s:g} s; the audio from "
            f"{begin_s:.1f} s on was not recognised"
        )

    async def _report(self, event: Partial | Spoken | Bound) -> None:
        """Report something as of the whole utterance, unless it was told before."""
        offset_ms = 1000 * self._offset_samples // SAMPLE_RATE
        index = self._first_index + event.index
        if isinstance(event, Bound):
            if index > self._told_bounds[event.kind]:
                self._told_bounds[event.kind] = index
                await self._report_outside(Bound(event.kind, index, event.at_ms + offset_ms))
            return
        self._reports += 1
        heard_ms = event.heard_ms + offset_ms
        if isinstance(event, Spoken):
            await self._report_outside(
                Spoken(_shifted(event.sentence, offset_ms), index, heard_ms, event.voices)
            )
            return
        if index != self._open_index:
            self._open_index, self._told, self._heard = index, "", ""
        self._heard += event.text
        new_text = self._heard[told_length(self._told, self._heard) :]
        if not new_text:
            return
        partial = Partial(
            text=new_text,
            index=index,
            first=not self._told,
            start_ms=event.start_ms + offset_ms,
            end_ms=None if event.end_ms is None else event.end_ms + offset_ms,
            heard_ms=heard_ms,
        )
        self._told = self._heard
        await self._report_outside(partial)


async def recognise_live(
    gateway: Gateway,
    inbox: AudioInbox,
    options: FileOptions,
    *,
    model: str,
    chunk_size: ChunkSize,
    second_pass: bool,
    report: Report,
) -> None:
    """Recognise an utterance while its audio comes, and return when all of it is reported.

    Args:
        gateway: what it works with.
        inbox: where the audio comes in.
        options: of the second pass and the VAD.
        model: of the first pass, as `first_pass` takes it.
        chunk_size: of the first pass, where that is the streaming model.
        second_pass: whether each stretch of speech is recognised once more when it has ended.
        report: is told what was heard.

    Raises:
        TritonAway: Triton did not come back in time.
        AsrError: of `asr_client.errors`.
    """
    make_session = first_pass(gateway.client, model, options, chunk_size)

    def begin(source: AudioSource, report: Report) -> LiveRecognition:
        return LiveRecognition(
            gateway.client,
            source,
            options,
            first_pass=make_session,
            second_passes=gateway.second_passes if second_pass else None,
            report=report,
        )

    hold_s = gateway.settings.hold_s
    live = RecoveringRecognition(inbox, begin, gateway.triton, hold_s, report)
    with gateway.metrics.counting(inbox):
        await live.run()


def _shifted(sentence: Sentence, offset_ms: int) -> Sentence:
    """Return a sentence with the times of another beginning."""
    if not offset_ms:
        return sentence
    words = [
        replace(word, start_ms=word.start_ms + offset_ms, end_ms=word.end_ms + offset_ms)
        for word in sentence.words
    ]
    return replace(
        sentence,
        start_ms=sentence.start_ms + offset_ms,
        end_ms=sentence.end_ms + offset_ms,
        words=words,
    )
