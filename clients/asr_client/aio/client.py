"""The asynchronous client: the names and arguments of `Client`, to be awaited."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence

from asr_contract import RECOGNISERS, STREAMING_MODEL

from ..alignment import Alignment
from ..audio import AudioInput, Channels, MediaSource, Pcm
from ..cluster import Servers, read_endpoints, transport_of
from ..files.options import DEFAULT_IN_FLIGHT, FileOptions
from ..hotwords import Hotwords, encode_hotwords
from ..known_speakers import KnownSpeakersInput
from ..options import (
    DEFAULT_TIMEOUT_S,
    checked_ca_file,
    checked_language,
    checked_timeout,
    key_headers,
    timeout_or,
)
from ..recognition import RecognitionOptions, RemoteRecogniser
from ..results import FileTranscript, Outcome, Transcript
from ..speaker_count import SpeakerCount
from ..streaming import SequenceRequests
from ..transport import Endpoint, GrpcTransport, HttpTransport, Transport
from .alignment import Aligner, AlignmentOptions
from .growing import GrowingSpeech
from .many import ManyRecordings
from .readiness import AsyncReadiness
from .session import AsyncStreamSession
from .stretches import AsyncStretchSession
from .transcription import AsyncFileTranscription


class AsyncClient(AsyncReadiness):
    """Recognises speech on a Triton server, for asyncio; see `Client` for what it promises.

    It connects at the first call and then belongs to the event loop that runs. Audio is read
    and resampled in a worker thread, so the loop stays free. Cancelling a call gives its
    request up at once. A process that has used one over gRPC must not fork.

    Args:
        url: `grpc://host:port`, `http://host:port`, or `grpcs://`, `https://` with TLS; several
            with commas between them or in a list, or a name with several addresses.
        timeout_s: seconds for a call that is not given its own.
        ca_file: PEM file of the authorities to trust with TLS; the system's when left out.
        api_key: of a server that asks for one; TRITON_ASR_API_KEY of the environment when left
            out, and none when empty.

    Raises:
        OptionError: the URL, the timeout, the file or the key makes no sense.
    """

    _grpc_transport: type[GrpcTransport] = GrpcTransport

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        ca_file: str | None = None,
        api_key: str | None = None,
    ) -> None:
        endpoints = read_endpoints(url)
        self.url = ",".join(endpoint.url for endpoint in endpoints)
        self.timeout_s = checked_timeout(timeout_s)
        checked_ca_file(ca_file)
        headers = key_headers(api_key)

        def make(endpoint: Endpoint) -> Transport:
            transport_class = self._grpc_transport if endpoint.uses_grpc else HttpTransport
            return transport_class(endpoint, ca_file, headers)

        self._transport = transport_of(endpoints, make)
        self._recogniser = RemoteRecogniser(self._transport)
        self._sessions: weakref.WeakValueDictionary[
            int, AsyncStreamSession | AsyncStretchSession | AsyncFileTranscription
        ] = weakref.WeakValueDictionary()

    @property
    def transport(self) -> Transport:
        """The way to the server, for what is built from the parts of `files`."""
        return self._transport

    @property
    def servers(self) -> dict[str, bool]:
        """Whether each of several servers is given work, by its URL; nothing of a lone server.

        They are looked at while the client is used, and for a minute after.
        """
        return self._transport.used if isinstance(self._transport, Servers) else {}

    @property
    def recogniser(self) -> RemoteRecogniser:
        """The offline models, for callers that have loaded the audio themselves."""
        return self._recogniser

    async def __aenter__(self) -> AsyncClient:
        return self

    async def __aexit__(self, *error: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Leave open sessions and close the connection; calls under way end with `ClientClosed`."""
        # `valuerefs` is a list made at once: sessions may be begun in another thread meanwhile.
        sessions = [session for ref in self._sessions.valuerefs() if (session := ref())]
        await asyncio.gather(*(session.close() for session in sessions))
        await self._transport.close()

    async def transcribe(
        self,
        audio: AudioInput,
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        hotwords: Hotwords = None,
        channels: Channels = "mix",
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> Transcript:
        """Recognise one recording; as `Client.transcribe`."""
        options = RecognitionOptions(model, language, itn, hotwords, channels)
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        return (await self._recogniser.transcribe([audio], sample_rate, options, timeout_s))[0]

    async def transcribe_batch(
        self,
        audios: Sequence[AudioInput],
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        hotwords: Hotwords = None,
        channels: Channels = "mix",
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> list[Transcript]:
        """Recognise several recordings in one request; as `Client.transcribe_batch`."""
        options = RecognitionOptions(model, language, itn, hotwords, channels)
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        return await self._recogniser.transcribe(audios, sample_rate, options, timeout_s)

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
        channels: Channels = "mix",
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> list[Outcome]:
        """Recognise many recordings, a request each; as `Client.transcribe_many`.

        `on_result` is a plain function, called on the event loop.
        """
        options = RecognitionOptions(model, language, itn, hotwords, channels)
        many = self.many_recordings(sample_rate, options, concurrency, timeout_s)
        remaining = enumerate(items)
        try:
            while True:
                while not many.is_full and (entry := next(remaining, None)) is not None:
                    await many.start(*entry)
                if many.is_empty:
                    break
                outcome = await many.next()
                if on_result is not None:
                    on_result(outcome)
        finally:
            await many.close()
        return many.outcomes

    def many_recordings(
        self,
        sample_rate: int | None,
        options: RecognitionOptions,
        concurrency: int,
        timeout_s: float | None = None,
    ) -> ManyRecordings:
        """Return what `transcribe_many` starts each of its recordings with.

        Raises:
            OptionError: an option makes no sense, for any recording.
        """
        checked_language(options.language)
        encode_hotwords(options.hotwords)
        timeout_s = timeout_or(self.timeout_s, timeout_s)

        async def transcribe(audio: AudioInput) -> Transcript:
            return (await self._recogniser.transcribe([audio], sample_rate, options, timeout_s))[0]

        return ManyRecordings(transcribe, concurrency)

    async def transcribe_file(
        self,
        path: MediaSource | Pcm,
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        punctuation: bool = True,
        timestamps: bool = True,
        hotwords: Hotwords = None,
        channels: Channels = "mix",
        speakers: SpeakerCount | None = None,
        known_speakers: KnownSpeakersInput = None,
        vad_options: Mapping[str, float] | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        timeout_s: float | None = None,
    ) -> FileTranscript:
        """Transcribe an audio or video file of any length; as `Client.transcribe_file`."""
        vad = dict(vad_options or {})
        first = (model, language, itn, punctuation, timestamps, hotwords)
        options = FileOptions(*first, vad, in_flight, channels, speakers, known_speakers)
        async with self.file_transcription(path, options, timeout_s=timeout_s) as file:
            return await file.result()

    def stream_file(
        self,
        path: MediaSource | Pcm,
        *,
        model: str = "sensevoice",
        language: str = "auto",
        itn: bool = True,
        punctuation: bool = True,
        timestamps: bool = True,
        hotwords: Hotwords = None,
        channels: Channels = "mix",
        speakers: SpeakerCount | None = None,
        known_speakers: KnownSpeakersInput = None,
        vad_options: Mapping[str, float] | None = None,
        in_flight: int = DEFAULT_IN_FLIGHT,
        timeout_s: float | None = None,
    ) -> AsyncFileTranscription:
        """Return the sentences of a file as they are recognised, to be used `async with`.

        As `Client.stream_file`; the call itself is not awaited.
        """
        vad = dict(vad_options or {})
        first = (model, language, itn, punctuation, timestamps, hotwords)
        options = FileOptions(*first, vad, in_flight, channels, speakers, known_speakers)
        return self.file_transcription(path, options, timeout_s=timeout_s)

    def file_transcription(
        self,
        path: MediaSource | Pcm,
        options: FileOptions,
        *,
        file_name: str | None = None,
        owner: str = "",
        timeout_s: float | None = None,
    ) -> AsyncFileTranscription:
        """Return the sentences of a file as `stream_file`, with the options as one object.

        `owner` is whose file it is, where many share this process and the decoders in it;
        `file_name` what it is called there, which tells the format of audio without a header.
        """
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        file = AsyncFileTranscription(
            self._transport,
            self.url,
            path,
            options,
            timeout_s,
            file_name=file_name,
            owner=owner,
        )
        self._sessions[id(file)] = file
        return file

    async def align(
        self,
        audio: AudioInput,
        text: str,
        *,
        language: str = "auto",
        model: str = "auto",
        channels: Channels = "mix",
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> Alignment:
        """Say when each word of a text is heard; as `Client.align`."""
        options = AlignmentOptions(language, channels, model=model)
        return await self.aligner(timeout_s).align(audio, text, sample_rate, options)

    def aligner(self, timeout_s: float | None = None) -> Aligner:
        """Return what `align` does its work with, for who has the options as one object."""
        return Aligner(self._transport, self.url, timeout_or(self.timeout_s, timeout_s))

    def stream(
        self,
        *,
        model: str = STREAMING_MODEL,
        chunk_size: Sequence[int] | None = None,
        language: str = "auto",
        itn: bool = True,
        hotwords: Hotwords = None,
        vad_options: Mapping[str, float] | None = None,
        timeout_s: float | None = None,
    ) -> AsyncStreamSession | AsyncStretchSession:
        """Return a session that recognises live audio, to be used `async with`.

        As `Client.stream`; the call itself is not awaited.
        """
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        session: AsyncStreamSession | AsyncStretchSession
        if model in RECOGNISERS or model in RECOGNISERS.values():
            options = FileOptions(
                model, language, itn, hotwords=hotwords, vad_options=dict(vad_options or {})
            )

            def make_growing() -> GrowingSpeech:
                return self.growing_speech(
                    model=model, language=language, hotwords=hotwords, timeout_s=timeout_s
                )

            session = AsyncStretchSession(
                self._transport, self.url, options, timeout_s, make_growing
            )
        else:
            requests = SequenceRequests(model, chunk_size, hotwords)
            session = AsyncStreamSession(self._transport, self.url, requests, timeout_s)
        self._sessions[id(session)] = session
        return session

    def growing_speech(
        self,
        *,
        model: str = "sensevoice",
        language: str = "auto",
        hotwords: Hotwords = None,
        timeout_s: float | None = None,
    ) -> GrowingSpeech:
        """Return a session of one stretch of speech by a model of whole recordings.

        For who finds the stretches, by `files.SpeechDetector` or otherwise; `stream` does, too.
        """
        options = RecognitionOptions(model, checked_language(language), False, hotwords)
        return GrowingSpeech(self._recogniser, options, timeout_or(self.timeout_s, timeout_s))
