"""The commands of FunASR's realtime server: START, audio, STOP; HOTWORDS:, LANGUAGE:, COMMIT.

A text message is a command, not JSON; an answer holds all sentences so far and what is spoken:

    {"sentences": [{"text", "start", "end"}, …], "partial", "partial_start_ms", "duration_ms",
     "is_final"}

It is final in the answer to STOP, which `{"event": "stopped"}` follows, and to COMMIT, by which a
client ends a sentence itself; the VAD ends them here as well. Times are ms of the session.
(funasr/bin/realtime_ws.py, examples/…/fun_asr_nano/client_python.py)
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from asr_contract import SAMPLE_RATE

from ..live import Partial, Spoken
from ..shared import Gateway
from .listener import LiveListener, Send
from .protocol import ClientMessage, UtteranceOptions, parse_message

_PLAIN = ("START", "STOP", "COMMIT")
_WITH_VALUE = ("HOTWORDS", "LANGUAGE")


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        name: one of START, STOP, COMMIT, HOTWORDS, LANGUAGE.
        value: what stands behind the colon of the last two.
    """

    name: str
    value: str = ""


def read_command(text: str) -> Command | None:
    """Return the command that a text message is; None if it is none."""
    word, colon, value = text.strip().partition(":")
    name = word.upper()
    if not colon and name in _PLAIN:
        return Command(name)
    return Command(name, value.strip()) if colon and name in _WITH_VALUE else None


def setting(command: Command) -> tuple[ClientMessage, dict[str, Any]]:
    """Return what HOTWORDS or LANGUAGE sets, as a message has it, and the answer to it."""
    if command.name == "HOTWORDS":
        words = [word.strip() for word in command.value.split(",") if word.strip()]
        message = parse_message(json.dumps({"hotwords": words}))
        done = event("hotwords_set", hotwords=words)
    else:
        message = parse_message(json.dumps({"svs_lang": command.value}))
        done = event("language_set", language=command.value)
    return message, event("error", error=message.refusals[0]) if message.refusals else done


def event(name: str, **fields: Any) -> dict[str, Any]:
    """Return the answer to a command."""
    return {"event": name, **fields}


@dataclass
class RealtimeSession:
    """What was said since START.

    Attributes:
        sentences: complete ones.
        committed_ms: how much was heard before the last COMMIT.
        heard_ms: how much was heard.
    """

    sentences: list[dict[str, Any]] = field(default_factory=list)
    committed_ms: int = 0
    heard_ms: int = 0
    partial: str = ""
    partial_start_ms: int = 0

    def answer(self, *, is_final: bool) -> dict[str, Any]:
        """Return all of it."""
        return {
            "sentences": list(self.sentences),
            "partial": self.partial,
            "partial_start_ms": self.partial_start_ms,
            "duration_ms": self.heard_ms,
            "is_final": is_final,
        }


class RealtimeListener(LiveListener):
    """Replies in that form."""

    def __init__(
        self,
        gateway: Gateway,
        options: UtteranceOptions,
        send: Send,
        notices: Sequence[str],
        session: RealtimeSession,
    ) -> None:
        super().__init__(gateway, options, send, notices)
        self._session = session
        session.committed_ms = session.heard_ms

    def _reply(self, event: Partial | Spoken) -> dict[str, Any]:
        session = self._session
        session.heard_ms = session.committed_ms + self._received_ms()
        if isinstance(event, Partial):
            if event.first:
                session.partial_start_ms = session.committed_ms + event.start_ms
            session.partial += event.text
        else:
            sentence = event.sentence
            session.sentences.append(
                {
                    "text": sentence.text,
                    "start": session.committed_ms + sentence.start_ms,
                    "end": session.committed_ms + sentence.end_ms,
                }
            )
            session.partial = ""
        return session.answer(is_final=False)

    def _may_be_last(self, event: Partial | Spoken) -> bool:
        return False  # the last answer repeats all

    def _last(self, held: dict[str, Any] | None, warning: str | None) -> dict[str, Any]:
        session = self._session
        session.heard_ms = session.committed_ms + self._received_ms()
        session.partial, session.partial_start_ms = "", 0
        answer = session.answer(is_final=True)
        return answer | ({} if warning is None else {"warning": warning})

    def _received_ms(self) -> int:
        return round(1000 * self._inbox.received_samples / SAMPLE_RATE)
