"""`POST /v1/audio/transcriptions`, as OpenAI's API has it, and `/v1/models`."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from contextlib import AsyncExitStack

from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from asr_client import AsrError, AsyncFileTranscription, FileOptions, FileTranscript, Sentence
from asr_client.files import join_texts, whole_transcript

from ..shared import MODELS, Gateway, TooManySessions, failure_kind, log_event, logged
from .answer import delta_event, done_event, error_event, transcription_response
from .api_errors import ApiError, api_error
from .form import TranscriptionForm, read_form
from .uploads import UploadRequest, check_size

_MODE, _DOOR = "http", "openai"  # for counters


class TranscriptionEndpoint:
    """An ASGI application for transcriptions: it holds its place in the limits to the end."""

    def __init__(self, gateway: Gateway) -> None:
        self._gateway = gateway

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve a request."""
        settings = self._gateway.settings
        request = UploadRequest(
            scope,
            receive,
            max_bytes=settings.max_upload_bytes,
            idle_timeout_s=settings.upload_idle_timeout_s,
        )
        metrics, outcome, begun_s = self._gateway.metrics, "left", time.monotonic()
        number = self._gateway.next_number()
        try:
            async with AsyncExitStack() as stack:
                client = self._gateway.keys.client(request)
                self._gateway.make_room(client)
                stack.enter_context(self._gateway.limits.session(client))
                await self._gateway.check_triton()
                response = await self._answer(request, receive, stack)
                if response is not None:
                    await response(scope, receive, send)
                    outcome = "ok"
        except ClientDisconnect:
            pass
        except Exception as error:
            failure = api_error(error)
            self._count_failure(error)
            if failure.code is None and failure.status == 500:
                raise
            outcome = "error"
            log_event(
                "transcription failed",
                session=number,
                status=failure.status,
                code=failure.code,
                param=failure.param,
                # What is wrong with a field quotes it.
                error="ApiError" if isinstance(error, ApiError) else logged(error),
            )
            await failure.response()(scope, receive, send)
        finally:
            metrics.utterances.labels(_MODE, outcome).inc()
            log_event(
                "transcription",
                session=number,
                outcome=outcome,
                elapsed_s=round(time.monotonic() - begun_s, 3),
            )

    async def _answer(
        self, request: UploadRequest, receive: Receive, stack: AsyncExitStack
    ) -> Response | None:
        """Return the answer; None for a client that has gone. `stack` closes what it needs."""
        gateway = self._gateway
        fields = await request.upload()
        stack.push_async_callback(fields.close)
        form = read_form(fields, gateway.models)
        check_size(form.file, gateway.settings.max_upload_bytes)
        hotwords, warning = await gateway.hotwords.usable(form.model, form.hotwords)
        options = FileOptions(
            model=form.model,
            language=form.language,
            itn=form.itn,
            hotwords=hotwords,
            vad_options=gateway.settings.vad_options,
            channels=form.channels,
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
            return transcription_response(form, result, _warnings(warning, result))

        work = asyncio.create_task(transcribe())
        leaving = asyncio.create_task(_disconnected(receive))
        try:
            await asyncio.wait({work, leaving}, return_when=asyncio.FIRST_COMPLETED)
            return work.result() if work.done() else None
        finally:
            for task in (work, leaving):
                task.cancel()
            await asyncio.gather(work, leaving, return_exceptions=True)

    async def _events(
        self, form: TranscriptionForm, file: AsyncFileTranscription, warning: str | None
    ) -> AsyncGenerator[bytes, None]:
        """Yield the sentences as they are recognised."""
        sentences: list[Sentence] = []
        before, begun_s = "", time.monotonic()
        try:
            async for sentence in file:
                separator = join_texts([before, sentence.text])[len(before) : -len(sentence.text)]
                yield delta_event(form, sentence, separator=separator)
                sentences.append(sentence)
                before = sentence.text
            result = whole_transcript(sentences, file.summary)
            self._count(result, time.monotonic() - begun_s)
            yield done_event(form, result, _warnings(warning, result))
        except AsrError as error:
            self._count_failure(error)
            yield error_event(api_error(error).body())

    def _count_failure(self, error: Exception) -> None:
        """Count what was refused or failed."""
        metrics = self._gateway.metrics
        if isinstance(error, TooManySessions):
            metrics.refused.labels(error.reason).inc()
        else:
            kind = "request" if isinstance(error, ApiError) else failure_kind(error)
            metrics.errors.labels(_DOOR, kind).inc()

    def _count(self, result: FileTranscript, elapsed_s: float) -> None:
        """Count a transcript, and log its text if that is wanted."""
        metrics = self._gateway.metrics
        metrics.audio_s.labels(_MODE).inc(result.duration_s)
        if result.duration_s:
            metrics.real_time_factor.labels(_MODE).observe(elapsed_s / result.duration_s)
        if self._gateway.settings.log_text:
            log_event("transcript", text=result.text)


def _warnings(warning: str | None, result: FileTranscript) -> list[str]:
    if warning is None:
        return result.summary.warnings
    return [warning, *(other for other in result.summary.warnings if other not in warning)]


async def _disconnected(receive: Receive) -> None:
    """Return when the client has gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


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
