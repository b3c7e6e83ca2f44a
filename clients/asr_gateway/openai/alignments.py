"""`POST /v1/audio/alignments`: when each word of a text is heard, which OpenAI's API has not."""

from __future__ import annotations

import time
from contextlib import AsyncExitStack
from dataclasses import dataclass

from starlette.datastructures import FormData, UploadFile
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.types import Receive

from asr_client import Alignment, ModelNotFound
from asr_client.aio.alignment import AlignmentOptions
from asr_client.alignment import ALIGNMENT_FORMATS, ALIGNMENT_MODELS, format_alignment
from asr_client.audio import Channels

from .answer import warnings_header
from .api_errors import ApiError
from .fields import choice
from .form import read_audio_file, read_channels_field, read_language_field
from .upload_endpoint import UploadEndpoint, until_left
from .uploads import UploadRequest, check_size

_MAX_TEXT_BYTES = 16 << 20
_MEDIA_TYPES = {"srt": "application/x-subrip"}


@dataclass(frozen=True)
class AlignmentForm:
    """The fields.

    Attributes:
        file: the recording.
        text: what is said in it: a field, or an upload of a text file.
        language: a word of `asr_contract.languages`.
        model: one of `ALIGNMENT_MODELS`.
        response_format: one of `ALIGNMENT_FORMATS`.
        channels: "mix" or one.
    """

    file: UploadFile
    text: str
    language: str
    model: str
    response_format: str
    channels: Channels


class AlignmentEndpoint(UploadEndpoint):
    """Alignments."""

    what = "alignment"

    async def answer(
        self, request: UploadRequest, receive: Receive, stack: AsyncExitStack
    ) -> Response | None:
        """Return the answer; as `UploadEndpoint.answer`."""
        gateway = self.gateway
        fields = await request.upload(max_files=2)
        stack.push_async_callback(fields.close)
        form = await read_alignment_form(fields)
        check_size(form.file, gateway.settings.max_upload_bytes)
        options = AlignmentOptions(
            form.language,
            form.channels,
            file_name=form.file.filename,
            owner=gateway.keys.client(request),
            model=form.model,
        )

        async def align() -> Response:
            begun_s = time.monotonic()
            aligner = gateway.client.aligner()
            try:
                alignment = await aligner.align(form.file.file, form.text, None, options)
            except ModelNotFound as error:
                if form.model == "auto":
                    raise
                message = f"no model {form.model!r} here; 'auto' takes the one that is"
                raise ApiError(404, message, param="model", code="model_not_found") from error
            self.count_audio(alignment.duration_s, time.monotonic() - begun_s)
            return alignment_response(form, alignment)

        return await until_left(align(), receive)


async def read_alignment_form(form: FormData) -> AlignmentForm:
    """Check the fields.

    Raises:
        ApiError: one makes no sense.
    """
    model = choice(form, "model", ALIGNMENT_MODELS, "auto")
    response_format = choice(form, "response_format", ALIGNMENT_FORMATS, "json")
    return AlignmentForm(
        file=read_audio_file(form),
        text=await _text(form),
        language=read_language_field(form),
        model=model,
        response_format=response_format,
        channels=read_channels_field(form),
    )


async def _text(form: FormData) -> str:
    """Return the text, which may come as a file."""
    value = form.get("text", "")
    if isinstance(value, UploadFile):
        data = await value.read(_MAX_TEXT_BYTES + 1)
        if len(data) > _MAX_TEXT_BYTES:
            raise ApiError(413, f"text: expected at most {_MAX_TEXT_BYTES} bytes", param="text")
        try:
            value = data.decode("utf-8-sig")
        except UnicodeDecodeError as error:
            raise ApiError(400, f"text: expected UTF-8; got {error}", param="text") from None
    if not value.strip():
        raise ApiError(400, "text: expected what is said in the file; got nothing", param="text")
    return value


def alignment_response(form: AlignmentForm, alignment: Alignment) -> Response:
    """Return the answer in the format that was asked for."""
    headers = warnings_header(alignment.warnings)
    if form.response_format == "json":
        return JSONResponse(alignment.to_dict(), headers=headers)
    text = format_alignment(form.response_format, alignment, "upload")
    media_type = _MEDIA_TYPES.get(form.response_format, "text/plain")
    return PlainTextResponse(text, media_type=media_type, headers=headers)
