"""The synchronous client: `AsyncClient` on an event loop of its own, for threads that wait."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from functools import partial

from asr_contract import STREAMING_MODEL

from ..aio.client import AsyncClient
from ..audio import AudioInput, Channels, MediaSource, Pcm
from ..audio.loading import load_recordings
from ..errors import ClientClosed
from ..files.options import DEFAULT_IN_FLIGHT, FileOptions
from ..hotwords import Hotwords
from ..known_speakers import KnownSpeakersInput
from ..options import DEFAULT_TIMEOUT_S, timeout_or
from ..recognition import RecognitionOptions
from ..results import FileTranscript, Outcome, Transcript
from ..speaker_count import SpeakerCount
from ..transport import ThreadedGrpcTransport
from .alignment import Aligning
from .background import Background
from .readiness import Readiness
from .session import StreamSession
from .transcription import FileTranscription


class _Core(AsyncClient):
    """The asynchronous client, such that the process may fork."""

    _grpc_transport = ThreadedGrpcTransport


class Client(Aligning, Readiness):
    """Recognises speech on a Triton server; safe to use from several threads at once.

    Every call ends: with a result, or with an exception of `asr_client.errors` once its timeout
    has passed at the latest. A timeout covers the whole exchange with the server (connection,
    upload, queue, recognition, answer), not the reading of the audio. Requests are not
    repeated. Make the client after a `fork`, not before.

    Args:
        url: `grpc://host:port`, `http://host:port`, or `grpcs://`, `https://` with TLS; several
            with commas between them or in a list, or a name with several addresses, to use
            several servers as one.
        timeout_s: seconds for a call that is not given its own.
        ca_file: PEM file of the authorities to trust with TLS; the system's when left out.
        api_key: of a server that asks for one; TRITON_ASR_API_KEY of the environment when left
            out, and none when empty.

    Raises:
        OptionError: the URL, the timeout, the file or the key makes no sense.
    """

    _core: _Core

    def __init__(
        self,
        url: str | Sequence[str],
        *,
        timeout_s: float = DEFAULT_TIMEOUT_S,
        ca_file: str | None = None,
        api_key: str | None = None,
    ) -> None:
        self._core = _Core(url, timeout_s=timeout_s, ca_file=ca_file, api_key=api_key)
        self.url = self._core.url
        self.timeout_s = self._core.timeout_s
        self._background = Background(self.url, self._core.close)
        self._call = self._background.call

    def __enter__(self) -> Client:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def close(self) -> None:
        """Leave open sessions and close the connection.

        Calls under way in other threads end with `ClientClosed`.
        """
        self._background.close()

    def transcribe(
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
        """Recognise one recording.

        Args:
            audio: a path, the bytes of a file, a binary file object, an array or `Pcm`; see
                `asr_client.audio.load_audio`.
            model: "sensevoice", "paraformer", or the name of a Triton model with the same
                tensors (then asked for its inputs once).
            language: "auto", "zh", "en", "yue", "ja", "ko" or "nospeech"; models that take no
                language ignore it.
            itn: numbers, dates and punctuation written ready to read; ignored likewise.
            hotwords: words to expect: in a list, `{"word": weight}`, or text as FunASR's clients
                send it. The more weight, the sooner a word is heard; 20 is usual.
            channels: of audio with several: "mix" for the mean of all, or the number of one
                (from 1).
            sample_rate: of an array, in Hz; required there and only there.
            timeout_s: seconds for this call; the client's when left out.

        Raises:
            AudioError: the audio cannot be used.
            OptionError: an option has an unknown value.
            AsrError: the others of `errors`, for what went wrong on the way or on the server.
        """
        options = RecognitionOptions(model, language, itn, hotwords, channels)
        return self._recognise([audio], sample_rate, options, timeout_s)[0]

    def transcribe_batch(
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
        """Recognise several recordings in one request, a row each, padded to the longest.

        All rows succeed or fail together, and the server limits their number
        (`max_batch_size`). The server batches separate requests by itself, so
        `transcribe_many` is the better choice unless the recordings are alike in length.

        Args and Raises: as `transcribe`.
        """
        options = RecognitionOptions(model, language, itn, hotwords, channels)
        return self._recognise(audios, sample_rate, options, timeout_s)

    def _recognise(
        self,
        audios: Sequence[AudioInput],
        sample_rate: int | None,
        options: RecognitionOptions,
        timeout_s: float | None,
    ) -> list[Transcript]:
        """Recognise recordings; they are loaded in this thread, which waits anyway."""
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        loaded = load_recordings(audios, sample_rate, options.channels)
        recognise = self._core.recogniser.recognise_loaded
        return self._call(lambda: recognise(loaded, options, timeout_s), timeout_s)

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
        channels: Channels = "mix",
        sample_rate: int | None = None,
        timeout_s: float | None = None,
    ) -> list[Outcome]:
        """Recognise many recordings, a request each, at most `concurrency` at a time.

        `items` is read only as fast as there are free places, so it may be a generator. An
        item that fails becomes an `Outcome` with its error; the others go on.

        Args: as `transcribe`; `items` are looked at in this thread, `concurrency` requests are
        under way at a time, and `on_result` is called in this thread with each outcome as soon as
        it is there, in order of completion. An exception from it ends the call.

        Returns:
            The outcomes in the order of `items`.

        Raises:
            OptionError: an option has a value that is wrong for every item.
            ClientClosed: another thread has closed the client.
        """
        options = RecognitionOptions(model, language, itn, hotwords, channels)
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        many = self._core.many_recordings(sample_rate, options, concurrency, timeout_s)
        remaining = enumerate(items)
        try:
            while True:
                while not many.is_full and (entry := next(remaining, None)) is not None:
                    self._call(partial(many.start, *entry))
                if many.is_empty:
                    break
                outcome = self._call(many.next)
                if on_result is not None:
                    on_result(outcome)
        finally:
            with suppress(ClientClosed):  # all has ended then
                self._call(many.close)
        return many.outcomes

    def transcribe_file(
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
        """Transcribe an audio or video file of any length, and return its sentences at the end.

        `stream_file` gives them as they come. The server needs the model `vad` and, for
        punctuation after Paraformer, `punctuation`.

        Args:
            path: what `media.MediaDecoder` reads: a path, the bytes of a file, a binary file
                object, or `Pcm`.
            model: as `transcribe`.
            language: as `transcribe`.
            hotwords: as `transcribe`.
            itn: spoken numbers as figures.
            punctuation: marks, and sentences that end with them; without, each stretch of speech
                is a sentence. SenseVoice writes marks with `itn` only.
            timestamps: words with their times.
            channels: "mix", the number of one (from 1), or "each": every channel is recognised as
                a speaker of its own, and sentences, in order of time, say whose they are.
            speakers: how many, or "auto": sentences and words say whose, and come at the end.
            known_speakers: who is then called by name; `FileOptions` says in which forms.
            vad_options: FunASR's options of the VAD by name, such as
                `{"max_end_silence_time": 500}`; see `files.VAD_OPTIONS`.
            in_flight: segments of this file that are recognised at a time.
            timeout_s: seconds for each request; the client's when left out. The whole has none.

        Raises:
            AudioError: the file cannot be read.
            OptionError: an option makes no sense.
            ModelNotFound: the server lacks a model; the message says how to install it.
            AsrError: the others of `errors`; the message says which part of the file failed.
        """
        vad = dict(vad_options or {})
        first = (model, language, itn, punctuation, timestamps, hotwords)
        options = FileOptions(*first, vad, in_flight, channels, speakers, known_speakers)
        with self.file_transcription(path, options, timeout_s=timeout_s) as file:
            return file.result()

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
    ) -> FileTranscription:
        """Return the sentences of a file as they are recognised, to be used in `with`.

            with client.stream_file("talk.mp4") as file:
                for sentence in file:
                    print(sentence.start_ms, sentence.text)

        Args: as `transcribe_file`.

        Raises:
            OptionError: an option makes no sense. What else may go wrong is raised on the way.
        """
        vad = dict(vad_options or {})
        first = (model, language, itn, punctuation, timestamps, hotwords)
        options = FileOptions(*first, vad, in_flight, channels, speakers, known_speakers)
        return self.file_transcription(path, options, timeout_s=timeout_s)

    def file_transcription(
        self, path: MediaSource | Pcm, options: FileOptions, *, timeout_s: float | None = None
    ) -> FileTranscription:
        """Return the sentences of a file as `stream_file`, with the options as one object."""
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        file = self._core.file_transcription(path, options, timeout_s=timeout_s)
        return FileTranscription(self._background, file)

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
    ) -> StreamSession:
        """Return a session that recognises live audio, to be used in `with`.

            with client.stream() as session:
                for pcm in microphone:
                    session.send(pcm, sample_rate=48000)
                    print(session.text)
                print(session.finish().text)

        Args:
            model: name of a Triton model with the tensors of `streaming_paraformer`; or a model of
                whole recordings, "sensevoice" or "paraformer", to which the VAD gives stretches of
                speech, the one that is spoken again and again. Their text is final when a pause
                has ended them. The server needs the model `vad`, too.
            chunk_size: [look-back, chunk, look-ahead] of the encoder in steps of 60 ms, such as
                (5, 10, 5); the model's own when left out. Less look-ahead gives text earlier
                and worse. Models of whole recordings have none.
            language: of a model of whole recordings, as `transcribe`.
            itn: the same.
            hotwords: the same.
            vad_options: the same, as `transcribe_file`.
            timeout_s: seconds for the answer to each request of the session; the client's when
                left out.

        Raises:
            OptionError: an option makes no sense.
        """
        timeout_s = timeout_or(self.timeout_s, timeout_s)
        session = self._core.stream(
            model=model,
            chunk_size=chunk_size,
            language=language,
            itn=itn,
            hotwords=hotwords,
            vad_options=vad_options,
            timeout_s=timeout_s,
        )
        return StreamSession(self._background, session)
