"""`POST /v1/audio/transcriptions`, as OpenAI's API has it, and `/v1/models`."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack
from dataclasses import replace

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive

from asr_client import (
    AsrError,
    AsyncFileTranscription,
    FileOptions,
    FileTranscript,
    Sentence,
    tracing,
)
from asr_client.files import join_texts, whole_transcript

from ..shared import MODELS, Gateway, TooManySessions, all_warnings, log_event
from .answer import (
    delta_event,
    done_event,
    error_event,
    segment_event,
    transcription_response,
)
from .api_errors import ApiError, api_error
from .form import TranscriptionForm, read_form
from .upload_endpoint import UploadEndpoint, until_left
from .uploads import UploadRequest, check_size


class TranscriptionEndpoint(UploadEndpoint):
    """Transcriptions."""

    what = "transcription"

    async def answer(
        self, request: UploadRequest, receive: Receive, stack: AsyncExitStack
    ) -> Response | None:
        """Return the answer; None for a client that has gone. `stack` closes what it needs."""
        gateway = self.gateway
        with tracing.span("upload"):
            fields = await request.upload()
        stack.push_async_callback(fields.close)
        form = read_form(fields, gateway.models)
        known = gateway.known_speakers(form.speakers, form.known_speakers)
        form = replace(form, known_speakers=known)
        check_size(form.file, gateway.settings.max_upload_bytes)
        hotwords, warning = await gateway.hotwords.usable(form.model, *form.hotwords)
        options = FileOptions(
            model=form.model,
            language=form.language,
            itn=form.itn,
            hotwords=hotwords,
            vad_options=gateway.settings.vad_options,
            channels=form.channels,
            speakers=form.speakers,
            known_speakers=known,
        )
        file = gateway.client.file_transcription(
            form.file.file,
            options,
            file_name=form.file.filename,
            owner=gateway.keys.client(request),
        )
        if form.stream:
            stack.push_async_callback(file.close)
            await file.open()  # what fails now has a status
            headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
            return StreamingResponse(
                self._events(form, file, warning), media_type="text/event-stream", headers=headers
            )
        return await self._whole(form, file, warning, receive)

    async def _whole(
        self,
        form: TranscriptionForm,
        file: AsyncFileTranscription,
        warning: str | None,
        receive: Receive,
    ) -> Response | None:
        """Transcribe, unless the client goes meanwhile."""

        async def transcribe() -> Response:
            async with file:
                begun_s = time.monotonic()
                result = await file.result()
            self._count(result, time.monotonic() - begun_s)
            return transcription_response(
                form, result, all_warnings(warning, result.summary.warnings)
            )

        return await until_left(transcribe(), receive)

    async def _events(
        self, form: TranscriptionForm, file: AsyncFileTranscription, warning: str | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the sentences as they are recognised."""
        sentences: list[Sentence] = []
        before, begun_s = "", time.monotonic()
        try:
            while (sentence := await self.gateway.unless_ended(anext(file, None))) is not None:
                separator = join_texts([before, sentence.text])[len(before) : -len(sentence.text)]
                yield delta_event(form, sentence, separator=separator)
                if form.response_format == "diarized_json":
                    yield segment_event(form, sentence, len(sentences))
                sentences.append(sentence)
                before = sentence.text
            result = whole_transcript(sentences, file.summary)
            self._count(result, time.monotonic() - begun_s)
            yield done_event(form, result, all_warnings(warning, result.summary.warnings))
        except (AsrError, TooManySessions) as error:
            self.count_failure(error)
            yield error_event(api_error(error).body())

    def _count(self, result: FileTranscript, elapsed_s: float) -> None:
        """Count a transcript, and log its text if that is wanted."""
        self.count_audio(result.duration_s, elapsed_s)
        if self.gateway.settings.log_text:
            log_event("transcript", text=result.text)


class ModelList:
    """`/v1/models` and `/v1/models/{model}`: what transcriptions may be asked of."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def all(self, request: Request) -> Response:
        """List the models that Triton has ready, and what else they are called."""
        models = self._gateway.models
        ready = [name for name in MODELS if await self._gateway.client.is_ready(name)]
        names = [*ready, *(name for name in models.listed if models.model(name) in ready)]
        return JSONResponse({"object": "list", "data": [_model(name) for name in names]})

    async def one(self, request: Request) -> Response:
        """Describe one."""
        name = request.path_params["model"]
        model = self._gateway.models.model(name)
        if model is None or not await self._gateway.client.is_ready(model):
            error = ApiError(404, f"no model {name!r} here", param="model", code="model_not_found")
            return error.response()
        return JSONResponse(_model(name))


def _model(name: str) -> dict[str, str | int]:
    return {"id": name, "object": "model", "created": 0, "owned_by": "triton-asr"}
