"""What the pipeline asks of the server's models, one request at a time."""

from __future__ import annotations

import time
from collections.abc import Sequence

from asr_contract import PUNCTUATION_MODEL, SPEAKER_MODEL, VAD_MODEL, read_language, triton_name
from asr_contract.tensors import TEXT_NORM

from .. import tracing
from ..errors import ModelNotFound, OptionError
from ..protocol import ModelInterface
from ..recognition import RecognitionOptions, RemoteRecogniser
from ..results import Transcript
from ..text.itn import LANGUAGES
from ..transport import Transport, has_model
from .options import FileOptions
from .punctuation import (
    PunctuatedSentence,
    parse_punctuation,
    punctuation_request,
)
from .segments import Segment
from .sentences import Punctuate

_HOW_TO_INSTALL = {
    VAD_MODEL: "`triton-asr-server install vad --from fsmn-vad`, and serve "
    "model_repo_auxiliary. A recording of up to half a minute needs none: Client.transcribe, or "
    "--no-vad",
    PUNCTUATION_MODEL: "`triton-asr-server install punctuation --from ct-punc-c`, and serve "
    "model_repo_auxiliary. Without marks none is needed: punctuation=False, --no-punctuation",
    SPEAKER_MODEL: "`triton-asr-server install speaker --from cam++`, and serve "
    "model_repo_auxiliary. It tells speakers apart: speakers=, --speakers",
}


class ServedModels:
    """Recognises segments and punctuates texts as the options say.

    Attributes:
        recognition_s, punctuation_s: seconds that requests took, added up; several recognitions
            run at a time.
    """

    def __init__(
        self, transport: Transport, url: str, options: FileOptions, timeout_s: float
    ) -> None:
        self._transport = transport
        self._url = url
        self._options = options
        self._timeout_s = timeout_s
        self._recogniser = RemoteRecogniser(transport)
        self._interface: ModelInterface | None = None
        self.recognition_s = self.punctuation_s = 0.0
        self.warnings: list[str] = []

    async def check(self) -> None:
        """Find out how to talk to the recogniser, and whether all models are there.

        What would fail in the middle of a long file fails here.

        Raises:
            ModelNotFound: one is missing; the message says how to install it.
            ServerNotReady: the server starts or stops.
            AsrError: the others of `errors`.
        """
        options = self._options
        self._interface = await self._recogniser.interface(options.model, self._timeout_s)
        needed = [triton_name(options.model), VAD_MODEL]
        if self.punctuate is not None:
            needed.append(PUNCTUATION_MODEL)
        if options.speakers is not None:
            needed.append(SPEAKER_MODEL)
        for name in needed:
            if not await has_model(self._transport, self._url, name, self._timeout_s):
                how = (
                    f"; install it with {_HOW_TO_INSTALL[name]}" if name in _HOW_TO_INSTALL else ""
                )
                raise ModelNotFound(
                    f"{self._url}: transcribing files needs the model {name!r}, which this server "
                    f"does not have ready{how}"
                )

    @property
    def _writes_itself(self) -> bool:
        """Whether the recogniser is to write marks and figures itself, and can."""
        return self._takes_text_norm and self._options.itn and self._options.punctuation

    @property
    def _takes_text_norm(self) -> bool:
        return self._interface is not None and TEXT_NORM in self._interface.inputs

    @property
    def punctuate(self) -> Punctuate | None:
        """The way to the model `punctuation`, where it is needed."""
        needed = self._options.punctuation and not self._takes_text_norm
        return self._punctuate if needed else None

    @property
    def itn_language(self) -> str | None:
        """The language for `normalize_numbers`, where it is needed."""
        if not self._options.itn or self._writes_itself:
            return None
        language = read_language(self._options.language)
        return language if language in LANGUAGES else "auto"

    async def recognise(self, segment: Segment) -> Transcript:
        """Recognise a segment; after `check`."""
        if self._interface is None:
            raise OptionError(f"model {self._options.model!r}: not looked up")
        start_s = time.monotonic()
        wanted = self._options
        options = RecognitionOptions(
            wanted.model, wanted.language, self._writes_itself, wanted.hotwords
        )
        where = {"asr.start_ms": segment.start_ms, "asr.end_ms": segment.end_ms}
        with tracing.span("segment", where):
            transcripts = await self._recogniser.recognise(
                [segment.waveform], options, self._timeout_s
            )
        self.recognition_s += time.monotonic() - start_s
        self.warnings = list(dict.fromkeys([*self.warnings, *transcripts[0].warnings]))
        return transcripts[0]

    async def _punctuate(self, text: str) -> Sequence[PunctuatedSentence]:
        start_s = time.monotonic()
        outputs = await self._transport.infer(punctuation_request(text), self._timeout_s)
        self.punctuation_s += time.monotonic() - start_s
        return parse_punctuation(text, outputs)
