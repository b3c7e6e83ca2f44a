"""Reads `session.update`, in its newer form and its older one (`transcription_session.update`).

A field that is left out stays as it was; an update of which one field is wrong changes nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from asr_contract import read_language

from ..shared import DEFAULT_MODEL_NAME, EXPECTED_NAMES, ModelNames
from .audio import read_format
from .options import LOGPROBS, SERVER_VAD, SessionOptions, TurnDetection
from .requests import Fields, RequestProblem, wrong

_NO_RESPONSES = " (sessions here transcribe, and do nothing else)"
_LEAST_SILENCE_MS = 200  # the VAD needs 150 ms to tell silence at all
_LONGEST_MS = 10_000


def updated(options: SessionOptions, session: Any, models: ModelNames) -> SessionOptions:
    """Return the options after an update in the newer form.

    Raises:
        RequestProblem: it makes no sense, or asks for what there is not.
    """
    fields = Fields(session, "session")
    if fields.take("type") != "transcription":
        raise RequestProblem(
            "session.type: expected transcription; this gateway has no other sessions",
            param="session.type",
        )
    if "audio" in fields:
        audio = Fields(fields.take("audio"), "session.audio")
        inputs = Fields(audio.take("input") or {}, audio.path("input"))
        audio.finish(_NO_RESPONSES)
        names = ("format", "transcription", "turn_detection", "noise_reduction")
        options = _with_input(options, inputs, names, models)
    return _with_include(options, fields)


def updated_as_before(options: SessionOptions, session: Any, models: ModelNames) -> SessionOptions:
    """Return the options after an update in the older form.

    Raises:
        RequestProblem: as `updated`.
    """
    fields = Fields(session, "session")
    for unused in ("modalities", "client_secret"):
        fields.take(unused)
    names = (
        *("input_audio_format", "input_audio_transcription", "turn_detection"),
        "input_audio_noise_reduction",
    )
    own = {"include": fields.take("include")} if "include" in fields else {}
    return _with_include(_with_input(options, fields, names, models), Fields(own, "session"))


def _with_input(
    options: SessionOptions, fields: Fields, names: tuple[str, ...], models: ModelNames
) -> SessionOptions:
    """Read what is said of the input, under the names that a form has for it."""
    audio_format, transcription, turn_detection, noise_reduction = names
    if audio_format in fields and (value := fields.take(audio_format)) is not None:
        options = replace(options, format=read_format(value, fields.path(audio_format)))
    if transcription in fields:
        path = fields.path(transcription)
        options = _with_transcription(options, Fields(fields.take(transcription), path), models)
    if turn_detection in fields:
        value, path = fields.take(turn_detection), fields.path(turn_detection)
        default = options.default_detection
        detection = None if value is None else _read_turn_detection(value, path, default)
        options = replace(options, turn_detection=detection, turn_detection_told=True)
    _check_noise_reduction(fields.take(noise_reduction), fields.path(noise_reduction))
    fields.finish(_NO_RESPONSES)
    return options


def _with_include(options: SessionOptions, fields: Fields) -> SessionOptions:
    """Read `include`, and refuse what else there is."""
    if "include" in fields:
        includes = fields.texts("include")
        for name in includes:
            if name != LOGPROBS:
                raise wrong("session.include", LOGPROBS, name)
        options = replace(options, logprobs=bool(includes))
    fields.finish(_NO_RESPONSES)
    return options


def _with_transcription(
    options: SessionOptions, fields: Fields, models: ModelNames
) -> SessionOptions:
    """Read what is asked of the recogniser."""
    if "model" in fields:
        name = fields.text("model", options.model_name) or DEFAULT_MODEL_NAME
        if models.model(name) is None:
            raise wrong(fields.path("model"), EXPECTED_NAMES, name, code="model_not_found")
        options = options.with_model(name)
    for name in ("language", "languages"):
        if name in fields:
            options = replace(options, language=_read_languages(fields, name))
    if "prompt" in fields:
        options = replace(options, prompt=fields.text("prompt", ""))
    if "keywords" in fields:
        options = replace(options, keywords=tuple(fields.texts("keywords")))
    fields.text("delay", "")  # a trade that these models do not offer
    fields.finish()
    return options


def _read_languages(fields: Fields, name: str) -> str:
    """Return a language; "" for none, and where several are named."""
    words = fields.texts(name) if name == "languages" else [fields.text(name, "")]
    for word in filter(None, words):
        try:
            read_language(word)
        except ValueError as error:
            raise RequestProblem(str(error), param=fields.path(name)) from None
    return words[0] if len(words) == 1 else ""


def _read_turn_detection(value: Any, path: str, default: TurnDetection) -> TurnDetection:
    fields = Fields(value, path)
    kind = fields.text("type", SERVER_VAD)
    if kind != SERVER_VAD:
        raise wrong(fields.path("type"), f"{SERVER_VAD} (or null in place of the object)", kind)
    for name in ("create_response", "interrupt_response"):  # of which there are none
        fields.flag(name)
    if fields.take("idle_timeout_ms") is not None:
        raise wrong(fields.path("idle_timeout_ms"), "null", "a time")
    silence = fields.number("silence_duration_ms", 0, _LONGEST_MS, default.silence_duration_ms)
    detection = TurnDetection(
        threshold=fields.number("threshold", 0, 1, default.threshold),
        prefix_padding_ms=int(
            fields.number("prefix_padding_ms", 0, _LONGEST_MS, default.prefix_padding_ms)
        ),
        silence_duration_ms=max(int(silence), _LEAST_SILENCE_MS),
    )
    fields.finish()
    return detection


def _check_noise_reduction(value: Any, path: str) -> None:
    """Refuse what is no noise reduction; a valid one has no effect, as the models need none."""
    if value is None:
        return
    fields = Fields(value, path)
    kind = fields.text("type", "near_field")
    if kind not in ("near_field", "far_field"):
        raise wrong(fields.path("type"), "near_field or far_field", kind)
    fields.number("strength", 0, 1, 1)
    fields.finish()
