"""How the command line has a recording transcribed, whatever the result is written to."""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Protocol

from asr_contract import VAD_MODEL

from ..audio import Channels
from ..audio.waveform import Pcm
from ..blocking.client import Client
from ..known_speakers import KnownSpeakers
from ..results import FileSummary, Sentence
from ..speaker_count import SpeakerCount
from .common import UsageError, read_hotwords
from .raw_samples import raw_audio
from .whole_recording import WholeRecording


class Transcription(Protocol):
    """The sentences of a recording as they come; `FileTranscription` says what its parts are."""

    @property
    def duration_s(self) -> float | None:
        """What the recording says its duration is."""

    @property
    def recognised_s(self) -> float:
        """How far recognition has come."""

    @property
    def summary(self) -> FileSummary:
        """What is known at the end."""

    def __iter__(self) -> Iterator[Sentence]: ...


@dataclass(frozen=True)
class Recognition:
    """What is asked of the server for each recording; plain values, fit for other processes.

    Attributes:
        model, language, itn, punctuation, channels, speakers, known_speakers: as
            `Client.stream_file`.
        hotwords: words, not the name of a file.
        vad: whether speech is found first; None for whether the server has the model.
        vad_options: FunASR's names with their values.
        raw: rate in Hz, format and channels of samples without a header; None for files that say
            it themselves.
    """

    model: str
    language: str
    itn: bool
    punctuation: bool
    channels: Channels
    speakers: SpeakerCount | None
    known_speakers: KnownSpeakers | None
    hotwords: str | None
    vad: bool | None
    vad_options: tuple[tuple[str, float], ...]
    raw: tuple[int, str, int] | None

    @classmethod
    def of(cls, options: argparse.Namespace) -> Recognition:
        """Return what the options of `add_recognition_options` ask for.

        Raises:
            UsageError: hotwords cannot be read, or raw samples are not described.
            OptionError: that of known speakers cannot, or makes no sense.
        """
        speakers: SpeakerCount | None = options.speakers
        known = options.known_speakers
        if speakers is None and known is not None:
            speakers = "auto"
        return cls(
            model=options.model,
            language=options.language,
            itn=options.itn,
            punctuation=options.punctuation,
            channels=options.channels,
            speakers=speakers,
            known_speakers=None if known is None else KnownSpeakers.read(known),
            hotwords=read_hotwords(options.hotword),
            vad=options.vad,
            vad_options=tuple(options.vad_option),
            raw=raw_audio(options),
        )

    def for_server(self, client: Client, timeout_s: float) -> Recognition:
        """Return the same with `vad` settled, once the server is ready for it.

        One clear message instead of the same one for every file.

        Raises:
            UsageError: an option needs the model `vad`.
            AsrError: the server is not ready, or has no such model.
        """
        client.check_ready(self.model, timeout_s=timeout_s)
        vad = self.vad
        if vad is None:
            vad = client.is_ready(VAD_MODEL, timeout_s=timeout_s)
        needing = {
            "--vad-option": bool(self.vad_options),
            "--channels each": self.channels == "each",
            "--speakers": self.speakers is not None,
        }
        for option, given in needing.items():
            if given and not vad:
                raise UsageError(f"{option}: needs the model vad on the server, and not --no-vad")
        return replace(self, vad=vad)

    @contextmanager
    def begin(self, client: Client, path: str) -> Iterator[Transcription]:
        """Transcribe a recording by the pipeline, or as a whole where there is no VAD."""
        if not self.vad:
            yield self._in_one_request(client, path)
            return
        with client.stream_file(
            self.audio(path),
            model=self.model,
            language=self.language,
            itn=self.itn,
            punctuation=self.punctuation,
            hotwords=self.hotwords,
            vad_options=dict(self.vad_options),
            channels=self.channels,
            speakers=self.speakers,
            known_speakers=self.known_speakers,
        ) as transcription:
            yield transcription

    def _in_one_request(self, client: Client, path: str) -> WholeRecording:
        started_s = time.monotonic()
        transcript = client.transcribe(
            self.audio(path),
            model=self.model,
            language=self.language,
            itn=self.itn,
            hotwords=self.hotwords,
            channels=self.channels,
        )
        return WholeRecording(transcript, started_s)

    def audio(self, path: str) -> str | Pcm:
        """Return a recording in the form the client takes."""
        return path if self.raw is None else Pcm(path, *self.raw)
