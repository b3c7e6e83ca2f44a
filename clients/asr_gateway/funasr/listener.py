"""Hears one utterance on a websocket: from a client's options and bytes to the replies it gets."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Any, Protocol

from asr_client import AudioError, FileOptions
from asr_contract import SAMPLE_RATE

from ..shared import SHUTDOWN_MESSAGE, Gateway
from .inbox import AudioInbox
from .live import LiveRecognition, Partial, Spoken
from .protocol import UtteranceOptions
from .recorded import Recording
from .replies import closing_reply, partial_reply, recording_reply, sentence_reply

_ARRIVALS = 4096  # frames whose time of arrival is remembered

# How replies to recordings are labelled; a file may come in a mode for live audio.
_RECORDED_MODES = {"offline": "offline", "online": "online", "2pass": "2pass-offline"}

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Listener(Protocol):
    """Takes the audio of one utterance and sends the replies.

    Attributes:
        mode: for counters: "offline", "online" or "2pass".
    """

    mode: str

    @property
    def audio_s(self) -> float:
        """Return how much was received, in seconds; 0 if that is not known before the end."""

    async def put(self, data: bytes) -> None:
        """Take audio in; waits when too much of it waits."""

    def end(self) -> None:
        """Say that the audio is complete."""

    async def run(self) -> None:
        """Recognise, and send the replies, the last of them when the audio has ended."""


def make_listener(gateway: Gateway, options: UtteranceOptions, send: Send) -> Listener:
    """Return what hears an utterance as its options say."""
    if options.mode == "offline" or not options.is_pcm:
        return RecordingListener(gateway, options, send)
    return LiveListener(gateway, options, send)


async def _file_options(
    gateway: Gateway, options: UtteranceOptions
) -> tuple[FileOptions, str | None]:
    """Return what the SDK is asked for, and a warning where that is less than was asked for."""
    model = options.model or gateway.settings.model
    itn = options.itn
    if model == "sensevoice" and options.svs_itn is not None:
        itn = options.svs_itn
    hotwords, warning = await gateway.hotwords.usable(model, options.hotwords)
    file_options = FileOptions(
        model=model,
        language=options.svs_lang or "auto",
        itn=itn,
        hotwords=hotwords,
        vad_options=gateway.settings.vad_options,
    )
    return file_options, warning


class RecordingListener:
    """Replies once, when all of the audio is there."""

    mode = "offline"

    def __init__(self, gateway: Gateway, options: UtteranceOptions, send: Send) -> None:
        self._gateway = gateway
        self._options = options
        self._send = send
        rate = options.sample_rate if options.is_pcm else None
        self._recording = Recording(rate, gateway.settings.max_upload_bytes)
        self._ended = asyncio.Event()
        self.audio_s = 0.0

    async def put(self, data: bytes) -> None:
        """Take audio in."""
        self._recording.put(data)

    def end(self) -> None:
        """Say that the audio is complete."""
        self._ended.set()

    async def run(self) -> None:
        """Recognise; as `Listener.run`."""
        settings = self._gateway.settings
        with self._recording:
            await self._ended.wait()
            options, warning = await _file_options(self._gateway, self._options)
            text, sentences = "", []
            try:
                transcript = await self._recording.transcribe(self._gateway.client, options)
                if transcript is not None:
                    text, sentences = transcript.text, transcript.sentences
                    self.audio_s = transcript.duration_s
            except AudioError as error:  # FunASR's servers answer with no text
                warning = str(error)
            reply = recording_reply(
                self._options,
                text,
                sentences,
                mode=_RECORDED_MODES[self._options.mode],
                is_final=settings.service != "offline" or settings.offline_is_final,
                warning=warning,
            )
            await self._send(reply)


class LiveListener:
    """Replies while it is spoken."""

    def __init__(self, gateway: Gateway, options: UtteranceOptions, send: Send) -> None:
        self._gateway = gateway
        self._options = options
        self._send = send
        step = gateway.settings.step_ms * SAMPLE_RATE // 1000
        self._inbox = AudioInbox(options.sample_rate, step)
        self._arrivals: deque[tuple[float, float]] = deque(maxlen=_ARRIVALS)  # ms received, when
        self.mode = options.mode

    @property
    def audio_s(self) -> float:
        """How much was received, in seconds."""
        return self._inbox.received_samples / SAMPLE_RATE

    async def put(self, data: bytes) -> None:
        """Take audio in; waits when too much of it waits."""
        now = time.monotonic()
        await self._inbox.put(data)
        self._arrivals.append((1000 * self.audio_s, now))

    def end(self) -> None:
        """Say that the audio is complete."""
        self._inbox.end()

    async def run(self) -> None:
        """Recognise; as `Listener.run`."""
        options, warning = await _file_options(self._gateway, self._options)
        two_passes = self._options.mode == "2pass"
        live = LiveRecognition(
            self._gateway.client,
            self._inbox,
            options,
            chunk_size=self._options.chunk_size,
            second_pass=two_passes,
            report=self._report,
        )
        await live.run()
        if self._gateway.limits.draining:
            warning = SHUTDOWN_MESSAGE
        await self._send(closing_reply(self._options, warning))

    async def _report(self, event: Partial | Spoken) -> None:
        """Send a reply for something that was heard."""
        metrics = self._gateway.metrics
        if isinstance(event, Partial):
            reply = partial_reply(
                self._options, event.text, event.index, first=event.first, end_ms=event.end_ms
            )
            await self._send(reply)
            metrics.partial_latency_s.observe(self._since_arrival(event.heard_ms))
        else:
            await self._send(sentence_reply(self._options, event.sentence, event.index))
            metrics.sentence_latency_s.observe(self._since_arrival(event.heard_ms))

    def _since_arrival(self, heard_ms: float) -> float:
        """Return how long ago, in seconds, so much of the audio was there."""
        while len(self._arrivals) > 1 and self._arrivals[0][0] < heard_ms:
            self._arrivals.popleft()
        return time.monotonic() - self._arrivals[0][1] if self._arrivals else 0.0
