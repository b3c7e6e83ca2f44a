"""The synchronous client."""

from __future__ import annotations

import time
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from types import TracebackType

from asr_contract import STREAMING_MODEL, triton_name

from ..audio.loading import load_audio
from ..audio.media import MediaSource
from ..audio.waveform import AudioInput
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
from ..transport.interface import Transport
from .session import StreamSession
from .transcription import FileTranscription


class Client:
    """Recognises speech on a Triton server; safe to use from several threads at once.

    Every call ends: with a result, or with an exception of `asr_client.errors` once its timeout
    has passed at the latest. A timeout covers the whole exchange with the server (connection,
    upload, queue, recognition, answer), not the reading of the audio. Requests are not
    repeated. Make the client after a `fork`, not before.

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
        self._transport: Transport = _connect(endpoint, checked_ca_file(ca_file))
        self._sessions: weakref.WeakSet[StreamSession | FileTranscription] = weakref.WeakSet()

    def __enter__(self) -> Client:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def close(self) -> None:
        """Leave open sessions and close the connection.

        Calls under way in other threads end with `ClientClosed`.
        """
        for session in list(self._sessions):
            session.close()
        self._transport.close()

    def transcribe(
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
        """Recognise one recording.

        Args:
            audio: a path, the bytes of a file, a binary file object, an array or `Pcm`; see
                `loading.load_audio`.
            model: "sensevoice", "paraformer", or the name of a Triton model with the same
                tensors (then asked for its inputs once).
            language: "auto", "zh", "en", "yue", "ja", "ko" or "nospeech"; models that take no
                language ignore it.
            itn: numbers, dates and punctuation written ready to read; ignored likewise.
            hotwords: words to expect, for a Paraformer with hotwords; any other model refuses
                them. Words in a list, `{"word": weight}`, or text as FunASR's clients send it.
                Weights have no effect yet.
            sample_rate: of an array, in Hz; required there and only there.
            timeout_s: seconds for this call; the client's when left out.

        Raises:
            AudioError: the audio cannot be used.
            OptionError: an option has an unknown value.
            AsrError: the others of `errors`, for what went wrong on the way or on the server.
        """
        return self.transcribe_batch(
            [audio],
            model=model,
            language=language,
            itn=itn,
            hotwords=hotwords,
            sample_rate=sample_rate,
            timeout_s=timeout_s,
        )[0]

    def transcribe_batch(
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
        """Recognise several recordings in one request, a row each, padded to the longest.

        All rows succeed or fail together, and the server limits their number
        (`max_batch_size`). The server batches separate requests by itself, so
        `transcribe_many` is the better choice unless the recordings are alike in length.

        Args and Raises: as `transcribe`.
        """
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        waveforms = []
        for index, audio in enumerate(audios):
            try:
                waveforms.append(load_audio(audio, sample_rate))
            except AudioError as error:
                if len(audios) == 1:
                    raise
                raise AudioError(f"recording {index}: {error}") from error
        deadline = time.monotonic() + timeout_s
        interface = self._interface(model, timeout_s)
        request = build_request(interface, waveforms, language=language, itn=itn, hotwords=hotwords)
        # The look-up of an unknown model's interface counts against the same timeout.
        outputs = self._transport.infer(request, max(deadline - time.monotonic(), 0.001))
        return parse_response(request, outputs)

    def transcribe_many(
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
        """Recognise many recordings, a request each, at most `concurrency` at a time.

        `items` is read only as fast as there are free places, so it may be a generator. An
        item that fails becomes an `Outcome` with its error; the others go on.

        Args:
            on_result: called in this thread with each outcome as soon as it is there, in order
                of completion. An exception from it ends the call.
            others: as `transcribe`.

        Returns:
            The outcomes in the order of `items`.
        """
        checked_concurrency(concurrency)
        checked_language(language)  # what is wrong for every item is raised once
        hotwords = encode_hotwords(hotwords)
        remaining = enumerate(items)
        running: dict[Future[Transcript], int] = {}
        outcomes: dict[int, Outcome] = {}
        pool = ThreadPoolExecutor(concurrency, thread_name_prefix="asr-client")
        try:
            while True:
                while len(running) < concurrency and (entry := next(remaining, None)) is not None:
                    future = pool.submit(
                        self.transcribe,
                        entry[1],
                        model=model,
                        language=language,
                        itn=itn,
                        hotwords=hotwords,
                        sample_rate=sample_rate,
                        timeout_s=timeout_s,
                    )
                    running[future] = entry[0]
                if not running:
                    return [outcomes[index] for index in sorted(outcomes)]
                for future in wait(running, return_when=FIRST_COMPLETED).done:
                    index = running.pop(future)
                    try:
                        outcome = Outcome(index, transcript=future.result())
                    except Exception as error:
                        outcome = Outcome(index, error=error)
                    outcomes[index] = outcome
                    if on_result is not None:
                        on_result(outcome)
        finally:
            # After Ctrl-C nobody waits for what is under way; closing the client ends it.
            pool.shutdown(wait=False, cancel_futures=True)

    def transcribe_file(
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
        """Transcribe an audio or video file of any length, and return its sentences at the end.

        `stream_file` gives them as they come. The server needs the model `vad` and, for
        punctuation after Paraformer, `punctuation`.

        Args:
            path: what `media.MediaDecoder` reads: a path, the bytes of a file, or a binary file
                object.
            model, language, hotwords: as `transcribe`.
            itn: spoken numbers as figures.
            punctuation: marks, and sentences that end with them; without, each stretch of speech
                is a sentence. SenseVoice writes marks with `itn` only.
            timestamps: words with their times.
            vad_options: FunASR's options of the VAD by name, such as
                `{"max_end_silence_time": 500}`; see `pipeline.options.VAD_OPTIONS`.
            in_flight: segments of this file that are recognised at a time.
            timeout_s: seconds for each request; the client's when left out. The whole has none.

        Raises:
            AudioError: the file cannot be read.
            OptionError: an option makes no sense.
            ModelNotFound: the server lacks a model; the message says how to install it.
            AsrError: the others of `errors`; the message says which part of the file failed.
        """
        with self.stream_file(
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
            return file.result()

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
    ) -> FileTranscription:
        """Return the sentences of a file as they are recognised, to be used in `with`.

            with client.stream_file("talk.mp4") as file:
                for sentence in file:
                    print(sentence.start_ms, sentence.text)

        Args: as `transcribe_file`.

        Raises:
            OptionError: an option makes no sense. What else may go wrong is raised on the way.
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
    ) -> FileTranscription:
        """Return the sentences of a file as `stream_file`, with the options as one object."""
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        background = self._transport.background()
        file = FileTranscription(background, self.url, path, options, timeout_s)
        self._sessions.add(file)
        return file

    def stream(
        self,
        *,
        model: str = STREAMING_MODEL,
        chunk_size: Sequence[int] | None = None,
        timeout_s: float | None = None,
    ) -> StreamSession:
        """Return a session that recognises live audio, to be used in `with`.

            with client.stream() as session:
                for pcm in microphone:
                    session.send(pcm, sample_rate=48000)
                    print(session.text)
                print(session.finish().text)

        Args:
            model: name of a Triton model with the tensors of `streaming_paraformer`.
            chunk_size: [look-back, chunk, look-ahead] of the encoder in steps of 60 ms, such as
                (5, 10, 5); the model's own when left out. Less look-ahead gives text earlier
                and worse.
            timeout_s: seconds for the answer to each request of the session; the client's when
                left out.

        Raises:
            OptionError: an option makes no sense.
        """
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        requests = SequenceRequests(model, chunk_size)
        session = StreamSession(self._transport.background(), self.url, requests, timeout_s)
        self._sessions.add(session)
        return session

    def check_ready(self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S) -> None:
        """Raise unless the server, and the model if one is named, is ready.

        This is what the server reports. A model whose process has died may still be reported
        as ready; a request to it then raises `ServerError` with the server's message.

        Raises:
            ServerNotReady: the server was reached and says that it is not.
            AsrError: it was not reached, or did not answer in time.
        """
        checked_timeout(timeout_s)
        if not self._transport.server_ready(timeout_s):
            raise ServerNotReady(f"{self.url}: the server says that it is not ready")
        if model is not None:
            name = triton_name(model)
            if not self._transport.model_ready(name, timeout_s):
                raise ServerNotReady(f"{self.url}: model {name!r} is not ready")

    def is_ready(self, model: str | None = None, *, timeout_s: float = READY_TIMEOUT_S) -> bool:
        """Return whether the server, and the model if one is named, can be reached and is ready.

        `check_ready` says why it is not.
        """
        checked_timeout(timeout_s)
        try:
            self.check_ready(model, timeout_s=timeout_s)
        except AsrError:
            return False
        return True

    def wait_ready(self, timeout_s: float, *, model: str | None = None) -> None:
        """Wait until the server, and the model if one is named, is ready.

        Raises:
            ServerNotReady: it is not after `timeout_s` seconds; the message says why.
        """
        deadline = time.monotonic() + checked_timeout(timeout_s)
        while True:
            left_s = deadline - time.monotonic()
            try:
                return self.check_ready(model, timeout_s=max(min(left_s, READY_TIMEOUT_S), 0.001))
            except AsrError as error:
                if time.monotonic() + POLL_INTERVAL_S >= deadline:
                    raise ServerNotReady(f"not ready within {timeout_s:g} s: {error}") from error
            time.sleep(POLL_INTERVAL_S)

    def models(self, *, timeout_s: float | None = None) -> list[ModelInfo]:
        """Return the models that the server lists as ready, the parts of ensembles included."""
        timeout_s = self.timeout_s if timeout_s is None else checked_timeout(timeout_s)
        return self._transport.ready_models(timeout_s)

    def _interface(self, model: str, timeout_s: float) -> ModelInterface:
        """Return how to talk to a model; asks the server once for a name the SDK does not know."""
        interface = self._interfaces.get(model)
        if interface is None:
            metadata = self._transport.model_metadata(model, timeout_s)
            interface = self._interfaces[model] = interface_from_metadata(model, metadata)
        return interface


def _connect(endpoint: Endpoint, ca_file: str | None) -> Transport:
    """Return the transport for a URL; only the one that is needed is imported."""
    if endpoint.uses_grpc:
        from ..transport.grpc import GrpcTransport

        return GrpcTransport(endpoint, ca_file)
    from ..transport.http import HttpTransport

    return HttpTransport(endpoint, ca_file)
