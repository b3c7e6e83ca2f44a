"""Audio up to a commit: its items, from the VAD or the client, and their text.

With a VAD each stretch of speech is an item, from when it begins; without, all of the audio is one.
Text comes while it is spoken (`delta`) and from the second pass behind it (`completed`), which
counts.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from asr_client import FileOptions, Sentence
from asr_client.files import join_texts
from asr_client.streaming import LiveAudio
from asr_contract import (
    DEFAULT_CHUNK_SIZE,
    SAMPLE_RATE,
    SENSEVOICE_MODEL,
    write_hotwords,
)
from asr_contract.hotwords import Hotword

from ..live import (
    AudioInbox,
    Bound,
    Partial,
    Spoken,
    TextLatencies,
    recognise_live,
)
from ..shared import Gateway, log_event, told
from .events import committed, completed, delta, failed, new_id, speech_started, speech_stopped
from .options import SessionOptions

_WHOLE = -1  # the place of the item that is all of the audio

Send = Callable[[dict[str, Any]], Awaitable[None]]


class Conversation:
    """The order of a session's items, and the form in which they are told."""

    def __init__(self, send: Send, *, older: bool) -> None:
        self.send = send
        self.older = older
        self._last: str | None = None

    async def add(self, item_id: str) -> None:
        """Tell of an item behind the last one."""
        previous, self._last = self._last, item_id
        for event in committed(item_id, previous, older=self.older):
            await self.send(event)


@dataclass
class _Item:
    """Audio that is, or will be, an item; times in ms of the utterance."""

    start_ms: float
    end_ms: float = 0.0
    is_committed: bool = False
    told: str = ""  # in deltas
    sentences: list[Sentence] = field(default_factory=list)
    id: str = field(default_factory=lambda: new_id("item"))


class RealtimeUtterance:
    """Recognises audio as it comes, until it is committed or discarded.

    Args:
        gateway: what it works with.
        options: how.
        conversation: gets the items.
        offset_s: how much audio of the session came before.

    Attributes:
        appended_s: how much audio it was given, in seconds.
    """

    mode = "realtime"

    def __init__(
        self, gateway: Gateway, options: SessionOptions, conversation: Conversation, offset_s: float
    ) -> None:
        self._gateway = gateway
        self._options = options
        self._conversation = conversation
        self._offset_ms = 1000 * offset_s
        self._inbox = AudioInbox(SAMPLE_RATE, gateway.settings.step_ms * SAMPLE_RATE // 1000)
        self._latencies = TextLatencies(gateway)
        self._items: dict[int, _Item] = {}  # by the number of their stretch of speech
        self._warnings: list[str] = []
        self._wants_item = False  # by a commit, of which nothing has come yet
        self._is_discarded = False
        self._item_end_ms = 0.0  # of the newest
        self.appended_s = 0.0

    @property
    def audio_s(self) -> float:
        """How much was received, in seconds."""
        return self.appended_s

    @property
    def has_vad(self) -> bool:
        """Whether the VAD makes the items."""
        return self._options.turn_detection is not None

    async def put(self, audio: LiveAudio, sample_rate: int, seconds: float) -> None:
        """Take audio in; waits when too much of it waits.

        Raises:
            AudioError: it cannot be used.
        """
        now = time.monotonic()
        await self._inbox.put(audio, sample_rate)
        self.appended_s += seconds
        self._latencies.arrived(1000 * self.appended_s, now)

    async def commit(self) -> None:
        """End the audio; what is not an item yet becomes one."""
        self._wants_item = True
        if not self.has_vad:
            await self._commit(self._whole())
        self._inbox.end()

    def end(self) -> None:
        """End the audio; speech that is open becomes an item, and silence none."""
        self._inbox.end()

    def discard(self) -> None:
        """End the audio, and forget what is not an item yet."""
        self._is_discarded = True
        self._items = {at: item for at, item in self._items.items() if item.is_committed}
        self._inbox.end()

    async def run(self) -> None:
        """Recognise; as `Utterance.run`."""
        try:
            await self._recognise()
        except Exception as error:
            for item in self._items.values():
                await self._conversation.send(failed(item.id, told(error)))
            raise
        if self._wants_item and not self._items:
            await self._commit(self._whole())
        for item in list(self._items.values()):
            if not item.is_committed:  # it was not found again when Triton was back
                await self._end(item, 1000 * self.appended_s)
        for at in list(self._items):
            await self._complete(at)

    async def _recognise(self) -> None:
        options = await self._file_options()
        # Who names SenseVoice means it in all; other names mean the gateway's own way.
        named = self._options.model_name == options.model == SENSEVOICE_MODEL
        model = SENSEVOICE_MODEL if named else self._gateway.settings.online_model
        await recognise_live(
            self._gateway,
            self._inbox,
            options,
            model=model,
            chunk_size=DEFAULT_CHUNK_SIZE,
            second_pass=True,
            report=self._report,
        )
        self._warnings += self._inbox.warnings

    async def _file_options(self) -> FileOptions:
        """Return what the SDK is asked for."""
        gateway, options = self._gateway, self._options
        model = gateway.models.model(options.model_name) or gateway.settings.model
        keywords = write_hotwords(Hotword(word) for word in options.keywords)
        hotwords, warning = await gateway.hotwords.usable(model, options.prompt, keywords)
        self._warnings += [warning] if warning else []
        return options.file_options(model, hotwords, gateway.settings.vad_options)

    async def _report(self, event: Partial | Spoken | Bound) -> None:
        """Tell of something that was heard."""
        self._latencies.sent(event)
        if isinstance(event, Bound):
            await self._bound(event)
            return
        if self.has_vad:
            item = self._items.get(event.index)
        else:
            item = None if self._is_discarded else self._whole()
        if item is None:
            return
        if isinstance(event, Partial):
            text = _behind(item.told, event.text) if event.first else event.text
            item.told += text
            await self._conversation.send(delta(item.id, text))
        else:
            item.sentences.append(event.sentence)

    async def _bound(self, bound: Bound) -> None:
        """Follow the VAD, where it makes the items."""
        if not self.has_vad:
            return
        if bound.kind == "began" and not self._is_discarded:
            item = self._items[bound.index] = _Item(bound.at_ms)
            at_ms = round(self._offset_ms + bound.at_ms)
            await self._conversation.send(speech_started(item.id, at_ms))
        elif bound.kind == "ended" and bound.index in self._items and not self._is_discarded:
            await self._end(self._items[bound.index], bound.at_ms)
        elif bound.kind == "reported" and bound.index in self._items:
            await self._complete(bound.index)

    async def _end(self, item: _Item, end_ms: float) -> None:
        """End an item that the VAD has begun."""
        at_ms = round(self._offset_ms + end_ms)
        item.end_ms, item.is_committed = end_ms, True  # before a client can clear it
        await self._conversation.send(speech_stopped(item.id, at_ms))
        await self._commit(item)

    async def _commit(self, item: _Item) -> None:
        self._wants_item = False
        item.is_committed = True
        item.end_ms = self._item_end_ms = item.end_ms or 1000 * self.appended_s
        await self._conversation.add(item.id)

    async def _complete(self, at: int) -> None:
        """Give the text of an item."""
        item = self._items.pop(at)
        text = join_texts([sentence.text for sentence in item.sentences])
        if text and not item.told:  # as OpenAI has it where there is no text before
            await self._conversation.send(delta(item.id, text))
        await self._conversation.send(
            completed(
                item.id,
                text,
                item.sentences,
                round((item.end_ms - item.start_ms) / 1000, 3),
                self._warnings,
                logprobs=self._options.logprobs,
            )
        )
        if self._gateway.settings.log_text:
            log_event("reply", mode=self.mode, text=text)

    def _whole(self) -> _Item:
        """Return the item that is all of the audio, or what the VAD has left of it."""
        return self._items.setdefault(_WHOLE, _Item(self._item_end_ms))


def _behind(told: str, text: str) -> str:
    """Return the text of another stretch of speech as it stands behind what was told."""
    return join_texts([told, text])[len(told) :]
