"""Transcripts in the forms of OpenAI's API. Times are seconds."""

from __future__ import annotations

import json
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.responses import JSONResponse, PlainTextResponse, Response

from asr_client import FileTranscript, Sentence, Word
from asr_client.files import join_texts
from asr_client.text import spoken_line, srt, vtt
from asr_contract import language_name

from .diarized import diarized, diarized_segment, turns, whose
from .form import TranscriptionForm
from .logprobs import logprob, word_logprobs

_WARNINGS_HEADER = "X-Warnings"  # a JSON list of texts
_MOST_HEADER_BYTES = 2048  # Node's fetch refuses 16 KB of headers, nginx 4 KB as it comes
_LONGEST_WARNING = 200  # characters of it in the header

_SEEK_MS = 10  # a frame of Whisper's


def transcription_response(
    form: TranscriptionForm, result: FileTranscript, warnings: list[str]
) -> Response:
    """Return the answer in the format that was asked for.

    Warnings are in a header of every format, and in a field of those that have fields.
    """
    headers = warnings_header(warnings)
    if form.response_format == "text":
        apart = form.channels == "each" or form.speakers is not None
        lines = map(spoken_line, result.sentences) if apart else [result.text]
        return PlainTextResponse("".join(f"{line}\n" for line in lines), headers=headers)
    if form.response_format == "srt":
        text = "".join(srt(result.sentences))
        return PlainTextResponse(text, media_type="application/x-subrip", headers=headers)
    if form.response_format == "vtt":
        text = "".join(vtt(result.sentences))
        return PlainTextResponse(text, media_type="text/vtt", headers=headers)
    if form.response_format == "json":
        json_body = {"text": result.text, "usage": _usage(result)}
        json_body |= _logprobs(form, result.words) | _apart(form, result)
        json_body |= {"warnings": warnings} if warnings else {}
        return JSONResponse(json_body, headers=headers)
    if form.response_format == "diarized_json":
        diarized_body = diarized(result, form.known_names)
        diarized_body |= {"warnings": warnings} if warnings else {}
        return JSONResponse({**diarized_body, "usage": _usage(result)}, headers=headers)
    body: dict[str, Any] = {
        "task": "transcribe",
        "language": _language(form, result),
        "duration": result.duration_s,
        "text": result.text,
    }
    if form.segments:
        body["segments"] = [
            _segment(number, sentence, form.words)
            for number, sentence in enumerate(result.sentences)
        ]
    if form.words:
        body["words"] = _words(result.words)
    if warnings:
        body["warnings"] = warnings
    body |= _apart(form, result) | turns(result)
    return JSONResponse({**body, "usage": _usage(result)}, headers=headers)


def warnings_header(warnings: Sequence[str]) -> dict[str, str]:
    """Return the header that tells warnings, shortened to what clients and proxies take."""
    if not warnings:
        return {}
    told: list[str] = []
    size = 0
    for warning in warnings:
        short = (
            warning[: _LONGEST_WARNING - 1] + "…" if len(warning) > _LONGEST_WARNING else warning
        )
        size += len(json.dumps(short))
        if size > _MOST_HEADER_BYTES:
            told.append(f"and {len(warnings) - len(told)} more")
            break
        told.append(short)
    return {_WARNINGS_HEADER: json.dumps(told)}


def _apart(form: TranscriptionForm, result: FileTranscript) -> dict[str, Any]:
    """Return what was said in each channel, where each was recognised apart."""
    if form.channels != "each":
        return {}
    texts: dict[int, list[str]] = {}
    for sentence in result.sentences:
        texts.setdefault(sentence.channel or 0, []).append(sentence.text)
    return {
        "channels": [
            {"channel": channel, "text": join_texts(own)} for channel, own in sorted(texts.items())
        ]
    }


def _channel(sentence: Sentence) -> dict[str, Any]:
    """Return whose words a sentence is, where each channel was recognised apart."""
    return {} if sentence.channel is None else {"channel": sentence.channel}


def delta_event(form: TranscriptionForm, sentence: Sentence, *, separator: str) -> bytes:
    """Return the event for a sentence. All `delta`s joined are the text.

    Args:
        form: what was asked for.
        sentence: what is new.
        separator: what stands before it in the text.
    """
    return _event(
        {
            "type": "transcript.text.delta",
            "delta": separator + sentence.text,
            "start": sentence.start_ms / 1000,
            "end": sentence.end_ms / 1000,
            "words": _words(sentence.words),
            **_logprobs(form, sentence.words),
            **_channel(sentence),
            **whose(sentence),
            **_doubtful(sentence),
        }
    )


def segment_event(form: TranscriptionForm, sentence: Sentence, number: int) -> bytes:
    """Return the event that says whose a sentence is, behind that with its text."""
    return _event(diarized_segment(sentence, number, form.known_names))


def done_event(form: TranscriptionForm, result: FileTranscript, warnings: list[str]) -> bytes:
    """Return the last event. OpenAI's has no usage but in tokens, of which there are none here."""
    event = {
        "type": "transcript.text.done",
        "text": result.text,
        "language": _language(form, result),
        "duration": result.duration_s,
        **_logprobs(form, result.words),
        **_apart(form, result),
        **turns(result),
    }
    return _event({**event, "warnings": warnings} if warnings else event)


def error_event(body: Mapping[str, Any]) -> bytes:
    """Return the event of a failure that came too late for a status."""
    return _event({"type": "error", **body})


def _event(data: Mapping[str, Any]) -> bytes:
    return f"data: {json.dumps(data, ensure_ascii=False)}\n\n".encode()


def _segment(number: int, sentence: Sentence, words: bool) -> dict[str, Any]:
    """Return a sentence with all fields of OpenAI's segments, which were Whisper's.

    `seek` is where its audio begins, in frames of 10 ms; `avg_logprob` the mean over its words;
    `compression_ratio` by Whisper's own rule. What Whisper alone has is what it would be here:
    nothing is sampled (`temperature` 0), the ids of words are the models' own business (`tokens`
    empty), and what the VAD takes for silence is no segment (`no_speech_prob` 0).
    """
    text = sentence.text.encode()
    segment: dict[str, Any] = {
        "id": number,
        "seek": sentence.start_ms // _SEEK_MS,
        "start": sentence.start_ms / 1000,
        "end": sentence.end_ms / 1000,
        "text": sentence.text,
        "tokens": [],
        "temperature": 0.0,
        "avg_logprob": logprob(sentence.confidence),
        "compression_ratio": len(text) / len(zlib.compress(text)),
        "no_speech_prob": 0.0,
        **_channel(sentence),
        **whose(sentence),
    }
    return segment | _doubtful(sentence) | ({"words": _words(sentence.words)} if words else {})


def _doubtful(sentence: Sentence) -> dict[str, Any]:
    """Say that a sentence is too uncertain to rely on, a field of this gateway's own."""
    return {"doubtful": True} if sentence.doubtful else {}


def _logprobs(form: TranscriptionForm, words: Sequence[Word]) -> dict[str, Any]:
    """Return how probable each word was, where that was asked for."""
    return {"logprobs": word_logprobs(words)} if form.logprobs else {}


def _language(form: TranscriptionForm, result: FileTranscript) -> str:
    """Return the language's name: the one heard, else the one asked for."""
    return language_name(result.language or form.language) or ""


def _words(words: list[Word]) -> list[dict[str, Any]]:
    return [
        {
            "word": word.text,
            "start": word.start_ms / 1000,
            "end": word.end_ms / 1000,
            **whose(word),
        }
        for word in words
    ]


def _usage(result: FileTranscript) -> dict[str, Any]:
    return {"type": "duration", "seconds": round(result.duration_s)}
