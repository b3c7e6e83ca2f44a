"""The asynchronous client: the names and arguments of `Client`, to be awaited."""

from __future__ import annotations

import asyncio
import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from types import TracebackType

from asr_contract import STREAMING_MODEL, triton_name

from ..audio.loading import load_audio_async
from ..audio.media import MediaSource
from ..audio.waveform import AudioInput, Waveform
from ..errors import AsrError, AudioError, ServerNotReady
from ..files.options import DEFAULT_IN_FLIGHT, FileOptions
from ..hotwords import Hotwords, encode_hotwords
from ..options import (
    DEFAULT_TIMEOUT_S,
    POLL_INTERVAL_S,
    READY_TIMEOUT_S,
    checked_ca_file,
    checked_concurrency,
    checked_language,
    checked_timeout,
)
from ..protocol import (
    KNOWN_MODELS,
    ModelInterface,
    build_request,
    interface_from_metadata,
    parse_response,
)
from ..results import FileTranscript, ModelInfo, Outcome, Transcript
from ..streaming.protocol import SequenceRequests
from ..transport.endpoint import Endpoint
from ..transport.interface import AsyncTransport
from ..transport.transport_aio import AsyncGrpcTransport, AsyncHttpTransport
from .session import AsyncStreamSession
from .transcription import AsyncFileTranscription


class AsyncClient:
    """Recognises speech on a Triton server, for asyncio; see `Client` for what it promises.

    It connects at the first call and then belongs to the event loop that runs. Audio is read
    and resampled in a worker thread, so the loop stays free. Cancelling a call gives its
    request up at once.

    Args:
        url: `grpc://host:port`, `http://host:port`, or `grpcs://`, `https://` with TLS.
        timeout_s: seconds for a call that is not given its own.
        ca_file: PEM file of the authorities to trust with TLS; the system's when left out.

    Raises:
        OptionError: the URL, the timeout or the file makes no sense.
    """

    def __init__(
        self, url: str, *, timeout_s: float = DEFAULT_TIMEOUT_S, ca_file: str | None = None
    ) -> None:
        endpoint = Endpoint.parse(url)
        self.url = endpoint.url
        self.timeout_s = checked_timeout(timeout_s)
        self._interfaces: dict[str, ModelInterface] = dict(KNOWN_MODELS)
        transport_class = AsyncGrpcTransport if endpoint.uses_grpc else AsyncHttpTransport
        self._transport: AsyncTransport = transport_class(endpoint, checked_ca_file(ca_file))
        self._sessions: weakref.WeakSet[AsyncStreamSession | AsyncFileTranscription] = (
            weakref.WeakSet()
        )

    @property
    def transport(self) -> AsyncTransport:
        """The way to the server, for what is built from the parts of `files`."""
        return self._transport

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave open sessions and close the connection; calls under way end with `ClientClosed`."""
        await asyncio.gather(*(session.close() for session in self._sessions))
        await self._transport.close()

    async def transcribe(
        self,
        audio: AudioInput,
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        hotwords: Hotwords = None,
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> Transcript:
        """Recognise one recording; as `Client.transcribe`."""
        transcripts = await self.transcribe_batch(
            [audio],
            model=model,
            language=language,
            itn=itn,
            hotwords=hotwords,
            sample_rate=sample_rate,
            timeout_s=timeout_s,
        )
        return transcripts[0]

    async def transcribe_batch(
        self,
        audios: Sequence[AudioInput],
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        hotwords: Hotwords = None,
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> list[Transcript]:
        """Recognise several recordings in one request; as `Client.transcribe_batch`."""
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        waveforms: list[Waveform] = []
        for index, audio in enumerate(audios):
            try:
                waveforms.append(await load_audio_async(audio, sample_rate))
            except AudioError as error:
                if len(audios) == 1:
                    raise
                raise AudioError(f"recording {index}: {error}") from error
        deadline = time.monotonic() + timeout_s
        interface = await self._interface(model, timeout_s)
        request = build_request(interface, waveforms, language=language, itn=itn, hotwords=hotwords)
        outputs = await self._transport.infer(request, max(deadline - time.monotonic(), 0.001))
        return parse_response(request, outputs)

    async def transcribe_many(
        self,
        items: Iterable[AudioInput],
        *,
        concurrency: int = 4,
        on_result: Callable[[Outcome], None] | None = None,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        hotwords: Hotwords = None,
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> list[Outcome]:
        """Recognise many recordings, a request each; as `Client.transcribe_many`.

        `on_result` is a plain function, called on the event loop.
        """
        checked_concurrency(concurrency)
        checked_language(language)  # what is wrong for every item is raised once
        hotwords = encode_hotwords(hotwords)
        remaining = enumerate(items)
        running: dict[asyncio.Task[Transcript], int] = {}
        outcomes: dict[int, Outcome] = {}
        try:
            while True:
                while len(running) < concurrency and (entry := next(remaining, None)) is not None:
                    call = self.transcribe(
                        entry[1],
                        model=model,
                        language=language,
                        itn=itn,
                        hotwords=hotwords,
                        sample_rate=sample_rate,
                        timeout_s=timeout_s,
                    )
                    running[asyncio.create_task(call)] = entry[0]
                if not running:
                    return [outcomes[index] for index in sorted(outcomes)]
                done, _ = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for task in done:
                    index = running.pop(task)
                    try:
                        outcome = Outcome(index, transcript=task.result())
                    except Exception as error:
                        outcome = Outcome(index, error=error)
                    outcomes[index] = outcome
                    if on_result is not None:
                        on_result(outcome)
        finally:
            for task in running:
                task.cancel()
            await asyncio.gather(*running, return_exceptions=True)

    async def transcribe_file(
        self,
        path: MediaSource,
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        punctuation: bool = True,
        timestamps: bool = True,
        hotwords: Hotwords = None,
        vad_options: Mapping[str, float] | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        timeout_s: float | None = None,
    ) -> FileTranscript:
        """Transcribe an audio or video file of any length; as `Client.transcribe_file`."""
        async with self.stream_file(
            path,
            model=model,
            language=language,
            itn=itn,
            punctuation=punctuation,
            timestamps=timestamps,
            hotwords=hotwords,
            vad_options=vad_options,
            in_flight=in_flight,
            timeout_s=timeout_s,
        ) as file:
            return await file.result()

    def stream_file(
        self,
        path: MediaSource,
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        punctuation: bool = True,
        timestamps: bool = True,
        hotwords: Hotwords = None,
        vad_options: Mapping[str, float] | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        timeout_s: float | None = None,
    ) -> AsyncFileTranscription:
        """Return the sentences of a file as they are recognised, to be used `async with`.

        As `Client.stream_file`; the call itself is not awaited.
        """
        options = FileOptions(
            model=model,
            language=language,
            itn=itn,
            punctuation=punctuation,
            timestamps=timestamps,
            hotwords=hotwords,
            vad_options=dict(vad_options or {}),
            in_flight=in_flight,
        )
        return self.file_transcription(path, options, timeout_s=timeout_s)

    def file_transcription(
        self, path: MediaSource, options: FileOptions, *, timeout_s: float | None = None
    ) -> AsyncFileTranscription:
        """Return the sentences of a file as `stream_file`, with the options as one object."""
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        file = AsyncFileTranscription(self._transport, self.url, path, options, timeout_s)
        self._sessions.add(file)
        return file

    def stream(
        self,
        *,
        model: str = STREAMING_MODEL,
        chunk_size: Sequence[int] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncStreamSession:
        """Return a session that recognises live audio, to be used `async with`.

        As `Client.stream`; the call itself is not awaited.
        """
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        requests = SequenceRequests(model, chunk_size)
        session = AsyncStreamSession(self._transport, self.url, requests, timeout_s)
        self._sessions.add(session)
        return session

    async def check_ready(
        self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S
    ) -> None:
        """Raise unless the server, and the model if named, is ready; as `Client.check_ready`."""
        checked_timeout(timeout_s)
        if not await self._transport.server_ready(timeout_s):
            raise ServerNotReady(f"{self.url}: the server says that it is not ready")
        if model is not None:
            name = triton_name(model)
            if not await self._transport.model_ready(name, timeout_s):
                raise ServerNotReady(f"{self.url}: model {name!r} is not ready")

    async def is_ready(
        self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S
    ) -> bool:
        """Return whether the server, and the model if named, is ready; as `Client.is_ready`."""
        checked_timeout(timeout_s)
        try:
            await self.check_ready(model, timeout_s=timeout_s)
        except AsrError:
            return False
        return True

    async def wait_ready(self, timeout_s: float, *, model: str | None = None) -> None:
        """Wait until the server, and the model if named, is ready; as `Client.wait_ready`."""
        deadline = time.monotonic() + checked_timeout(timeout_s)
        while True:
            left_s = deadline - time.monotonic()
            try:
                return await self.check_ready(
                    model, timeout_s=max(min(left_s, READY_TIMEOUT_S), 0.001)
                )
            except AsrError as error:
                if time.monotonic() + POLL_INTERVAL_S >= deadline:
                    raise ServerNotReady(f"not ready within {timeout_s:g} s: {error}") from error
            await asyncio.sleep(POLL_INTERVAL_S)

    async def models(self, *, timeout_s: float | None = None) -> list[ModelInfo]:
        """Return the models that the server lists as ready; as `Client.models`."""
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        return await self._transport.ready_models(timeout_s)

    async def _interface(self, model: str, timeout_s: float) -> ModelInterface:
        """Return how to talk to a model; asks the server once for a name the SDK does not know."""
        interface = self._interfaces.get(model)
        if interface is None:
            metadata = await self._transport.model_metadata(model, timeout_s)
            interface = self._interfaces[model] = interface_from_metadata(model, metadata)
        return interface
