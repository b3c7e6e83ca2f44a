"""Forced alignment, for callers that wait."""

from __future__ import annotations

from ..aio.client import AsyncClient
from ..alignment import Alignment
from ..audio import AudioInput, Channels
from .background import Background


class Aligning:
    """The part of a client that aligns texts."""

    _core: AsyncClient
    _background: Background

    def align(
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
        """Say when each word of a text is heard in a recording of any length.

        Args:
            audio: as `transcribe`, of any length: it is read piece by piece.
            text: what is said, in any script, with marks and lines as they are. What of it is not
                in the audio is marked by its confidence, and what is in the audio beside it is
                passed over.
            language: of the audio, as `transcribe`.
            model: "sensevoice"; "fa-zh", FunASR's aligner for Mandarin with English in it, which
                places every word as if it were said; or "auto": `fa-zh` for Chinese where the
                server has it, of what SenseVoice hears where it has that too, else SenseVoice.
            channels: "mix", or the number of one (from 1).
            sample_rate: of an array.
            timeout_s: seconds for each request; the client's when left out. The whole has none.

        Raises:
            AudioError: the audio cannot be read.
            OptionError: there is no word in the text, or an option makes no sense.
            ModelNotFound: the server lacks a model; the message says how to install it.
            AsrError: the others of `errors`.
        """
        return self._background.call(
            lambda: self._core.align(
                audio,
                text,
                language=language,
                model=model,
                channels=channels,
                sample_rate=sample_rate,
                timeout_s=timeout_s,
            )
        )
