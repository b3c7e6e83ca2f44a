"""Recognises whole recordings on a server: the one way from waveforms to transcripts."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace

from .audio import AudioInput, Channels, LoadedAudio, Waveform
from .audio.loading import load_recordings_async
from .hotwords import Hotwords
from .protocol import (
    KNOWN_MODELS,
    ModelInterface,
    build_request,
    interface_from_metadata,
    parse_response,
)
from .results import Transcript
from .transport import Transport


@dataclass(frozen=True)
class RecognitionOptions:
    """What is asked of a recording, in the words of `Client.transcribe`."""

    model: str = "sensevoice"
    language: str = "auto"
    itn: bool = True
    hotwords: Hotwords = None
    channels: Channels = "mix"


class RemoteRecogniser:
    """The offline models of one server, by any name.

    How to talk to a model that the SDK does not know is asked of the server once.
    """

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._interfaces: dict[str, ModelInterface] = dict(KNOWN_MODELS)

    async def interface(self, model: str, timeout_s: float) -> ModelInterface:
        """Return how to talk to a model.

        Raises:
            ProtocolError: it is no recogniser.
            AsrError: the others of `errors`.
        """
        interface = self._interfaces.get(model)
        if interface is None:
            metadata = await self._transport.model_metadata(model, timeout_s)
            interface = self._interfaces[model] = interface_from_metadata(model, metadata)
        return interface

    async def recognise(
        self, waveforms: Sequence[Waveform], options: RecognitionOptions, timeout_s: float
    ) -> list[Transcript]:
        """Recognise waveforms, [samples] float32 at 16 kHz, in one request with a row for each.

        The look-up of an unknown model counts against the same timeout.

        Raises:
            OptionError: an option has an unknown value.
            AsrError: the others of `errors`.
        """
        deadline_s = time.monotonic() + timeout_s
        interface = await self.interface(options.model, timeout_s)
        left_s = max(deadline_s - time.monotonic(), 0.001)
        request = build_request(
            interface,
            waveforms,
            language=options.language,
            itn=options.itn,
            hotwords=options.hotwords,
        )
        return parse_response(request, await self._transport.infer(request, left_s))

    async def transcribe(
        self,
        audios: Sequence[AudioInput],
        sample_rate: int | None,
        options: RecognitionOptions,
        timeout_s: float,
    ) -> list[Transcript]:
        """Load recordings, which has no timeout, and recognise them in one request.

        Raises:
            AudioError: one cannot be used.
            AsrError: as `recognise`.
        """
        loaded = await load_recordings_async(audios, sample_rate, options.channels)
        return await self.recognise_loaded(loaded, options, timeout_s)

    async def recognise_loaded(
        self, loaded: Sequence[LoadedAudio], options: RecognitionOptions, timeout_s: float
    ) -> list[Transcript]:
        """Recognise recordings as `recognise`; their warnings come with the transcripts."""
        waveforms = [each.waveform for each in loaded]
        transcripts = await self.recognise(waveforms, options, timeout_s)
        return [
            replace(transcript, warnings=[*each.warnings, *transcript.warnings])
            for transcript, each in zip(transcripts, loaded, strict=True)
        ]
