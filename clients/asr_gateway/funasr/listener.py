"""Hears one utterance on a websocket: from a client's options and bytes to the replies it gets."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, Protocol

from asr_client import AudioError, FileOptions, FileTranscript
from asr_client.audio import HEADERS, begins_as_file, raw_format_of_name
from asr_contract import SAMPLE_RATE, STREAMING_MODEL, ChunkSize, nearest_served_chunk_size

from ..live import (
    AudioInbox,
    Bound,
    Partial,
    Spoken,
    TextLatencies,
    Utterance,
    recognise_live,
)
from ..shared import SHUTDOWN_MESSAGE, Gateway, all_warnings, failure_kind, through_outages, told
from .protocol import UtteranceOptions
from .recorded import Recording
from .replies import (
    closing_reply,
    made_final,
    partial_reply,
    recording_reply,
    sentence_reply,
    speaker_turns,
)
from .utterance_voices import UtteranceVoices

# How replies to recordings are labelled; a file may come in a mode for live audio.
_RECORDED_MODES = {"offline": "offline", "online": "online", "2pass": "2pass-offline"}

_NOT_SAMPLES = (
    "wav_format: expected samples; got audio that begins as a file does, which is decoded where "
    "wav_format says so, such as mp3 or others"
)

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Listener(Utterance, Protocol):
    """Takes the audio of one utterance and sends the replies; `mode` is as clients name it."""

    async def put(self, data: bytes) -> None:
        """Take audio in; waits when too much of it waits."""

    def end(self) -> None:
        """Say that the audio is complete."""

    def hand_over(self) -> None:
        """End it where it is, as the gateway stops; another may hear the rest."""


def is_live(options: UtteranceOptions) -> bool:
    """Return whether an utterance is heard while it is spoken."""
    return options.mode != "offline" and options.is_pcm


def make_listener(
    gateway: Gateway,
    options: UtteranceOptions,
    send: Send,
    notices: Sequence[str],
    *,
    client: str,
) -> Listener:
    """Return what hears an utterance as its options say.

    Args:
        gateway: what it works with.
        options: what the client has said.
        send: sends a reply.
        notices: what the client is to know; they come with the last reply.
        client: whose share of the decoders counts.
    """
    if is_live(options):
        return LiveListener(gateway, options, send, notices)
    return RecordingListener(gateway, options, send, notices, client)


async def _file_options(
    gateway: Gateway, options: UtteranceOptions
) -> tuple[FileOptions, str | None]:
    """Return what the SDK is asked for, and a warning where that is less than was asked for."""
    model = options.model or gateway.settings.model
    itn = options.itn
    if model == "sensevoice" and options.svs_itn is not None:
        itn = options.svs_itn
    hotwords, warning = await gateway.hotwords.usable(model, options.hotwords)
    asked = options.speakers
    speakers = gateway.settings.speakers if asked is None else asked or None
    file_options = FileOptions(
        model=model,
        language=options.svs_lang or "auto",
        itn=itn,
        hotwords=hotwords,
        vad_options=gateway.settings.vad_options,
        speakers=speakers,
        known_speakers=gateway.known_speakers(speakers),
    )
    return file_options, warning


class RecordingListener:
    """Replies once, when all of the audio is there."""

    mode = "offline"

    def __init__(
        self,
        gateway: Gateway,
        options: UtteranceOptions,
        send: Send,
        notices: Sequence[str],
        client: str,
    ) -> None:
        self._gateway = gateway
        self._options = options
        self._send = send
        self._notices = list(notices)
        self._client = client
        self._recording = Recording(
            options.sample_rate,
            is_file=not options.is_pcm,
            max_bytes=gateway.settings.max_upload_bytes,
            suffix=_suffix(options),
        )
        self._ended = asyncio.Event()
        self.audio_s = 0.0

    async def put(self, data: bytes) -> None:
        """Take audio in."""
        self._recording.put(data)

    def end(self) -> None:
        """Say that the audio is complete."""
        self._ended.set()

    def hand_over(self) -> None:
        """End it where it is."""
        self._notices.append(f"{SHUTDOWN_MESSAGE}: this is the text of what had come")
        self.end()

    async def run(self) -> None:
        """Recognise; as `Listener.run`."""
        settings = self._gateway.settings
        with self._recording:
            await self._ended.wait()
            options, warning = await _file_options(self._gateway, self._options)
            transcript = await self._transcribe(options)
            if transcript is not None:
                text, sentences = transcript.text, transcript.sentences
                warnings, turns = transcript.summary.warnings, transcript.summary.turns
            else:
                text, sentences, warnings, turns = "", [], [], []
            reply = recording_reply(
                self._options,
                text,
                sentences,
                mode=_RECORDED_MODES[self._options.mode],
                is_final=settings.service != "offline" or settings.offline_is_final,
                warning=_joined([*self._notices, *all_warnings(warning, warnings)]),
            )
            await self._send(reply | speaker_turns(turns))

    async def _transcribe(self, options: FileOptions) -> FileTranscript | None:
        """Return the transcript, and count it; None where there is no audio, or none is heard."""
        gateway, begun_s = self._gateway, time.monotonic()
        try:
            transcript = await through_outages(
                gateway.triton,
                gateway.settings.hold_s,
                lambda: self._recording.transcribe(gateway.client, options, owner=self._client),
            )
        except AudioError as error:  # FunASR's servers answer with no text
            gateway.metrics.errors.labels("funasr", failure_kind(error)).inc()
            self._notices.append(told(error))
            return None
        if transcript is not None and transcript.duration_s:
            self.audio_s = transcript.duration_s
            factor = gateway.metrics.real_time_factor.labels(self.mode)
            factor.observe((time.monotonic() - begun_s) / self.audio_s)
        return transcript


class LiveListener:
    """Replies while it is spoken.

    The last sentence, in mode `online` the last words, come in the message that is final, as
    FunASR's servers have it: clients stop at that one, or take its text as the result. So from
    the end of the audio on, each result waits until it is known whether it is the last.
    """

    def __init__(
        self, gateway: Gateway, options: UtteranceOptions, send: Send, notices: Sequence[str]
    ) -> None:
        self._gateway = gateway
        self._options = options
        self._send = send
        self._notices = list(notices)
        step = gateway.settings.step_ms * SAMPLE_RATE // 1000
        self._inbox = AudioInbox(options.sample_rate, step)
        self._latencies = TextLatencies(gateway)
        self._ended = False
        self._voices: UtteranceVoices | None = None  # where speakers are told apart
        self._held: dict[str, Any] | None = None  # a result that may be the last
        self._committed = {"ms": 0, "stretches": 0}  # what the VAD itself has ended
        self._handed_over = False
        self.mode = options.mode

    @property
    def audio_s(self) -> float:
        """How much was received, in seconds."""
        return self._inbox.received_s

    async def put(self, data: bytes) -> None:
        """Take audio in; waits when too much of it waits."""
        now = time.monotonic()
        if not self.audio_s and begins_as_file(data) and not data.startswith(HEADERS):
            self._notices.append(_NOT_SAMPLES)
        await self._inbox.put(data)
        self._latencies.arrived(1000 * self.audio_s, now)

    def end(self) -> None:
        """Say that the audio is complete."""
        self._ended = True
        self._inbox.end()

    def hand_over(self) -> None:
        """End it where it is."""
        self._handed_over = True
        self.end()

    async def run(self) -> None:
        """Recognise; as `Listener.run`."""
        options, warning = await _file_options(self._gateway, self._options)
        two_passes = self._options.mode == "2pass"
        if options.speakers is not None and two_passes:
            self._voices = UtteranceVoices(self._gateway.client, options)
            await self._voices.begin()
        try:
            await recognise_live(
                self._gateway,
                self._inbox,
                options,
                model=self._online_model(),
                chunk_size=self._chunk_size(),
                second_pass=two_passes,
                report=self._report,
            )
        except Exception:
            await self._release()
            raise
        self._notices += self._inbox.warnings
        if self._gateway.limits.draining:
            self._notices.append(SHUTDOWN_MESSAGE)
        last = self._last(self._held, _joined([*self._notices, *all_warnings(warning, [])]))
        if self._handed_over:
            last |= {"committed": self._committed}
        turns = [] if self._voices is None else await self._voices.turns()
        await self._send(last | speaker_turns(turns))

    def _chunk_size(self) -> ChunkSize:
        """Return a chunk size that is served, and note where that is not what was asked for."""
        asked = self._options.chunk_size
        served = nearest_served_chunk_size(asked)
        if served != asked:
            self._notices.append(
                f"chunk_size: {list(served)} is used, the nearest to {list(asked)}"
            )
        return served

    async def _report(self, event: Partial | Spoken | Bound) -> None:
        """Send a reply for something that was heard, or hold it if it may be the last."""
        if not isinstance(event, Bound):
            await self._release()
        self._latencies.sent(event)
        if isinstance(event, Bound):
            if event.kind == "ended" and not self._ended:
                self._committed = {"ms": event.at_ms, "stretches": event.index + 1}
            return
        reply = self._reply(event)
        if self._voices is not None and isinstance(event, Spoken):
            reply |= await self._voices.named(event)
        if self._ended and self._may_be_last(event):
            self._held = reply
        else:
            await self._send(reply)

    def _reply(self, event: Partial | Spoken) -> dict[str, Any]:
        """Return the reply for something that was heard."""
        if isinstance(event, Partial):
            return partial_reply(
                self._options, event.text, event.index, first=event.first, end_ms=event.end_ms
            )
        # Fields that FunASR's servers do not send are for who asked for what they have not.
        tags = self._online_model() != STREAMING_MODEL
        return sentence_reply(self._options, event.sentence, event.index, tags=tags)

    def _online_model(self) -> str:
        """Return the model of the first pass."""
        return self._options.online_model or self._gateway.settings.online_model

    def _may_be_last(self, event: Partial | Spoken) -> bool:
        """Return whether nothing may follow it; partial texts do not count where sentences do."""
        return isinstance(event, Spoken) or self._options.mode == "online"

    def _last(self, held: dict[str, Any] | None, warning: str | None) -> dict[str, Any]:
        """Return the last reply: the result that was held, or none."""
        return made_final(held or closing_reply(self._options), warning)

    async def _release(self) -> None:
        """Send the result that was held: it is not the last."""
        if self._held is not None:
            held, self._held = self._held, None
            await self._send(held)


def _suffix(options: UtteranceOptions) -> str:
    """Return the suffix of a file without a header: its format's name, or that of its own name."""
    for name in (options.wav_format, options.wav_name):
        if raw_format_of_name(name, b"") is not None:
            return f".{name.rpartition('.')[2].lower()}"
    return ""


def _joined(notices: Sequence[str]) -> str | None:
    """Return all that a client is to know as one text; None for nothing."""
    return "; ".join(notices) or None
