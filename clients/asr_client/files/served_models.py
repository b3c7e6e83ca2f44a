"""What the pipeline asks of the server's models, one request at a time."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Sequence

from asr_contract import PUNCTUATION_MODEL, VAD_MODEL, triton_name
from asr_contract.tensors import TEXT_NORM

from ..errors import ModelNotFound, OptionError
from ..protocol import (
    KNOWN_MODELS,
    build_request,
    interface_from_metadata,
    parse_response,
)
from ..results import Transcript
from ..text.itn import LANGUAGES, normalize_numbers
from ..transport.interface import AsyncTransport
from .options import FileOptions
from .punctuation import (
    PunctuatedSentence,
    parse_punctuation,
    punctuation_request,
)
from .segments import Segment
from .sentences import Punctuate

_HOW_TO_INSTALL = {
    VAD_MODEL: "`python -m scripts.install_model vad --from fsmn-vad`, and serve "
    "model_repo_auxiliary. A recording of up to half a minute needs none: Client.transcribe, or "
    "--no-vad",
    PUNCTUATION_MODEL: "`python -m scripts.install_model punctuation --from ct-punc-c`, and serve "
    "model_repo_auxiliary. Without marks none is needed: punctuation=False, --no-punctuation",
}


class ServedModels:
    """Recognises segments and punctuates texts as the options say.

    Attributes:
        recognition_s, punctuation_s: seconds that requests took, added up; several recognitions
            run at a time.
    """

    def __init__(
        self, transport: AsyncTransport, url: str, options: FileOptions, timeout_s: float
    ) -> None:
        self._transport = transport
        self._url = url
        self._options = options
        self._timeout_s = timeout_s
        self._interface = KNOWN_MODELS.get(options.model)
        self.recognition_s = self.punctuation_s = 0.0

    async def check(self) -> None:
        """Find out how to talk to the recogniser, and whether all models are there.

        What would fail in the middle of a long file fails here.

        Raises:
            ModelNotFound: one is missing; the message says how to install it.
            OptionError: ITN needs a package that is not installed.
            AsrError: the others of `errors`.
        """
        options = self._options
        if self._interface is None:
            metadata = await self._transport.model_metadata(options.model, self._timeout_s)
            self._interface = interface_from_metadata(options.model, metadata)
        needed = [triton_name(options.model), VAD_MODEL]
        if self.punctuate is not None:
            needed.append(PUNCTUATION_MODEL)
        for name in needed:
            if not await self._is_ready(name):
                how = (
                    f"; install it with {_HOW_TO_INSTALL[name]}" if name in _HOW_TO_INSTALL else ""
                )
                raise ModelNotFound(
                    f"{self._url}: transcribing files needs the model {name!r}, which this server "
                    f"does not have ready{how}"
                )
        if self.itn_language is not None:  # loads the grammars, too
            await asyncio.to_thread(normalize_numbers, "一百", "zh")

    async def _is_ready(self, name: str) -> bool:
        try:
            return await self._transport.model_ready(name, self._timeout_s)
        except ModelNotFound:
            return False

    @property
    def _writes_itself(self) -> bool:
        """Whether the recogniser writes marks and figures, and shall."""
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
        language = self._options.language.lower()
        return language if language in LANGUAGES else "auto"

    async def recognise(self, segment: Segment) -> Transcript:
        """Recognise a segment."""
        if self._interface is None:
            raise OptionError(f"model {self._options.model!r}: not looked up")
        start_s = time.monotonic()
        request = build_request(
            self._interface,
            [segment.waveform],
            language=self._options.language,
            itn=self._writes_itself,
            hotwords=self._options.hotwords,
        )
        outputs = await self._transport.infer(request, self._timeout_s)
        self.recognition_s += time.monotonic() - start_s
        return parse_response(request, outputs)[0]

    async def _punctuate(self, text: str) -> Sequence[PunctuatedSentence]:
        start_s = time.monotonic()
        outputs = await self._transport.infer(punctuation_request(text), self._timeout_s)
        self.punctuation_s += time.monotonic() - start_s
        return parse_punctuation(text, outputs)
