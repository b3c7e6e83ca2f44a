"""Which of a client's hotwords the recogniser is asked to expect.

FunASR's clients send hotwords to every server. A model that takes none refuses them, and a word
that its vocabulary cannot write refuses all; neither may cost a client its transcript.
"""

from __future__ import annotations

import json
import time
from collections import OrderedDict
from contextlib import suppress

import numpy as np

from asr_client import AsyncClient, OptionError, RequestRejected
from asr_client.audio.waveform import SAMPLE_RATE

# Answers to keep: clients send the same words again and again, and a model may be replaced.
_REMEMBERED = 64
_REMEMBERED_S = 60.0


def join_hotwords(*texts: str) -> str:
    """Join hotwords in any of the forms that the server reads."""
    given = [text.strip() for text in texts if text.strip()]
    if len(given) < 2:
        return given[0] if given else ""
    return json.dumps([word for text in given for word in _words(text)], ensure_ascii=False)


def _words(text: str) -> list[str]:
    """Return words without their weights, which have no effect."""
    if text[:1] in ("{", "["):
        with suppress(ValueError):  # a prompt may well begin so
            return [word for word in json.loads(text) if isinstance(word, str)]
    words: list[str] = []
    for line in text.splitlines():
        can_weigh = False
        for part in line.replace(",", " ").replace("，", " ").replace("、", " ").split():
            if can_weigh and part.replace(".", "", 1).isdecimal():
                can_weigh = False
            else:
                words.append(part)
                can_weigh = True
    return words


class HotwordCheck:
    """Asks the models whether they take hotwords, and remembers their answers for a while."""

    def __init__(self, client: AsyncClient) -> None:
        self._client = client
        self._known: OrderedDict[tuple[str, str], tuple[float, str | None]] = OrderedDict()

    async def usable(self, model: str, hotwords: str) -> tuple[str, str | None]:
        """Return the hotwords if the model takes them, else "" and what is wrong with them.

        Raises:
            AsrError: the model cannot be asked.
        """
        if not hotwords:
            return "", None
        asked_s, problem = self._known.get((model, hotwords), (float("-inf"), None))
        if time.monotonic() - asked_s > _REMEMBERED_S:
            problem = await self._ask(model, hotwords)
            self._known[model, hotwords] = time.monotonic(), problem
            self._known.move_to_end((model, hotwords))
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        return ("" if problem else hotwords), problem

    async def _ask(self, model: str, hotwords: str) -> str | None:
        """Return what is wrong with hotwords; None if nothing is."""
        silence = np.zeros(SAMPLE_RATE // 10, np.float32)
        try:
            await self._client.transcribe(
                silence, model=model, hotwords=hotwords, sample_rate=SAMPLE_RATE
            )
        except (RequestRejected, OptionError) as error:
            reason = error.server_message or str(error)
            return f"the hotwords are not used: {reason}"
        return None
