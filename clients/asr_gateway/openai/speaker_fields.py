"""The fields of a form that tell speakers apart."""

from __future__ import annotations

import base64
import binascii
import re

from starlette.datastructures import FormData

from asr_client import KnownSpeakers, OptionError
from asr_client.diarisation import SpeakerCount, checked_speakers, read_speakers

from .api_errors import ApiError
from .fields import field_error, read_text_field, texts

_NAMES, _REFERENCES = "known_speaker_names", "known_speaker_references"
_DATA_URL = re.compile(r"data:[^,;]*(?:;[^,;]*)*;base64,")


def read_speaker_count(
    form: FormData, response_format: str, *, stream: bool
) -> SpeakerCount | None:
    """Read `speakers`: a number, or auto, which the format `diarized_json` asks for anyway.

    Raises:
        ApiError: it is neither, this gateway cannot tell speakers apart, or the answer would not
            show them.
    """
    word = read_text_field(form, "speakers")
    if not word and response_format != "diarized_json":
        return None
    try:
        speakers = read_speakers(word or "auto")
        checked_speakers(speakers)
    except OptionError as error:
        raise ApiError(400, str(error), param="speakers" if word else "response_format") from None
    if response_format == "json" and not stream:
        raise field_error(
            "response_format", "one that shows speakers, such as diarized_json", response_format
        )
    return speakers


def read_known_speakers(form: FormData, speakers: SpeakerCount | None) -> KnownSpeakers | None:
    """Read names, and a recording of each as a data URL; None where none are named.

    Raises:
        ApiError: they make no sense.
    """
    names, references = texts(form, _NAMES), texts(form, _REFERENCES)
    if not names and not references:
        return None
    if speakers is None:
        raise field_error(f"{_NAMES}[]", "them with diarized_json or speakers", names)
    if len(names) != len(references) or len(set(names)) != len(names):
        raise ApiError(
            400,
            f"{_REFERENCES}[]: expected one for each of the names, which differ; got "
            f"{len(references)} for {len(names)} names, {len(set(names))} of them different",
            param=f"{_REFERENCES}[]",
        )
    try:
        recordings = [_audio(reference) for reference in references]
        return KnownSpeakers(dict(zip(names, recordings, strict=True)))
    except OptionError as error:
        raise ApiError(400, str(error), param=f"{_NAMES}[]") from None


def _audio(reference: str) -> bytes:
    """Return the bytes of a data URL."""
    head = _DATA_URL.match(reference)
    try:
        if head is None:
            raise ValueError
        return base64.b64decode(reference[head.end() :], validate=True)
    except (ValueError, binascii.Error):
        expected = "a data URL with audio, data:audio/wav;base64,…"
        raise field_error(f"{_REFERENCES}[]", expected, reference) from None
