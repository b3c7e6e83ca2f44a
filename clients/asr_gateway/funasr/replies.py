"""What a client is told in FunASR's websocket protocol: dictionaries for `json.dumps`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from asr_client import Sentence, SpeakerTurn

from .protocol import UtteranceOptions
from .stamps import stamped_sentences, timestamp


def partial_reply(
    options: UtteranceOptions, text: str, index: int, *, first: bool, end_ms: int | None
) -> dict[str, Any]:
    """Say what text has become known: what is new only. `end_ms`: where its last word ends."""
    mode = "online" if options.mode == "online" else "2pass-online"
    reply = _reply(options, mode, text)
    reply |= {"slice_type": 0 if first else 1, "index": index}
    if end_ms is not None:
        reply["end_time"] = end_ms
    return reply


def sentence_reply(
    options: UtteranceOptions, sentence: Sentence, index: int, *, tags: bool
) -> dict[str, Any]:
    """Say what the second pass of a stretch of speech heard; its partial texts are void.

    `tags`: with what SenseVoice says of it beside the text.
    """
    reply = _reply(options, "2pass-offline", sentence.text)
    reply |= {"slice_type": 2, "index": index}
    reply |= {"start_time": sentence.start_ms, "end_time": sentence.end_ms}
    reply |= _tags(sentence) if tags else {}
    return reply | _stamps(sentence.text, [sentence]) | _doubtful([sentence])


def recording_reply(
    options: UtteranceOptions,
    text: str,
    sentences: list[Sentence],
    *,
    mode: str = "offline",
    is_final: bool = True,
    warning: str | None = None,
) -> dict[str, Any]:
    """Give the text of a whole recording, in reply to the end of its audio."""
    reply = _reply(options, mode, text, is_final=is_final)
    return reply | _stamps(text, sentences) | _doubtful(sentences) | _warning(warning)


def speaker_turns(turns: Sequence[SpeakerTurn]) -> dict[str, Any]:
    """Say who spoke when, in the last reply, where speakers are told apart."""
    if not turns:
        return {}
    return {
        "spk_turns": [
            {"spk_name": turn.speaker, "start": turn.start_ms, "end": turn.end_ms} for turn in turns
        ]
    }


def closing_reply(options: UtteranceOptions) -> dict[str, Any]:
    """End the replies to an utterance that was heard while it was spoken, with nothing new."""
    mode = "online" if options.mode == "online" else "2pass-offline"
    return _reply(options, mode, "", is_final=True)


def made_final(reply: dict[str, Any], warning: str | None) -> dict[str, Any]:
    """Return a reply as the last to its utterance, with a warning if there is one."""
    return reply | {"is_final": True} | _warning(warning)


def refusal_reply(options: UtteranceOptions, message: str) -> dict[str, Any]:
    """Say that a message, or a part of it, was not understood; the session goes on."""
    return _reply(options, options.mode, "") | {"error": message}


def end_acknowledgement(options: UtteranceOptions) -> dict[str, Any]:
    """Say that nothing follows, to a client that asked for it."""
    return _reply(options, options.mode, "", is_final=True) | {"is_end": True}


def error_reply(options: UtteranceOptions, message: str, *, wants_end: bool) -> dict[str, Any]:
    """Say what went wrong; the connection is closed behind it."""
    reply = _reply(options, options.mode, "", is_final=not wants_end) | {"error": message}
    return reply | ({"is_end": True} if wants_end else {})


def text_of(reply: dict[str, Any]) -> str:
    """Return the text that a reply holds, in whichever form."""
    return str(reply.get("text") or reply.get("partial") or "")


def _reply(
    options: UtteranceOptions, mode: str, text: str, *, is_final: bool = False
) -> dict[str, Any]:
    """Return the fields that every client expects in every message."""
    return {"mode": mode, "wav_name": options.wav_name, "text": text, "is_final": is_final}


def _stamps(text: str, sentences: list[Sentence]) -> dict[str, Any]:
    """Return the times of words, where they are known. Clients expect `timestamp` to be text."""
    if not any(sentence.words for sentence in sentences):
        return {}
    stamps = [
        stamp if sentence.speaker is None else stamp | {"spk_name": sentence.speaker}
        for sentence in sentences
        for stamp in stamped_sentences(sentence)
    ]
    return {"timestamp": timestamp(text, sentences), "stamp_sents": stamps}


def _tags(sentence: Sentence) -> dict[str, Any]:
    """Return what SenseVoice says of a stretch beside its text; fields of this gateway alone."""
    tags = {"language": sentence.language, "emotion": sentence.emotion, "event": sentence.event}
    return {name: tag for name, tag in tags.items() if tag}


def _doubtful(sentences: list[Sentence]) -> dict[str, Any]:
    """Say that a sentence is too uncertain to rely on; FunASR's clients pass over the field."""
    return {"doubtful": True} if any(sentence.doubtful for sentence in sentences) else {}


def _warning(warning: str | None) -> dict[str, Any]:
    return {} if warning is None else {"warning": warning}
