"""Which hotwords the recogniser is asked to expect: the gateway's own and a client's.

FunASR's clients send hotwords to every server. A model that takes none refuses them, which may not
cost a client its transcript; a word that its vocabulary cannot write is left out, and told.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from asr_client import AsyncClient, OptionError, RequestRejected
from asr_contract import SAMPLE_RATE, parse_hotwords, write_hotwords

# Answers to keep: clients send the same words again and again, and a model may be replaced.
_REMEMBERED = 64
_REMEMBERED_S = 60.0

_MAX_WARNING = 2_000  # characters; a Realtime session is told them with each item


@dataclass(frozen=True)
class _Answer:
    """What a model makes of hotwords: whether it refuses all, and what a client is told."""

    refused: bool = False
    warning: str | None = None


class HotwordCheck:
    """Asks the models whether they take hotwords, and remembers their answers for a while.

    Args:
        client: of the Triton server.
        own: the gateway's hotwords, which join those of every client.

    Raises:
        ValueError: `own` cannot be read.
    """

    def __init__(self, client: AsyncClient, own: str) -> None:
        self._client = client
        self._own = parse_hotwords(own)
        self._known: OrderedDict[tuple[str, str], tuple[float, _Answer]] = OrderedDict()

    async def usable(self, model: str, *asked: str) -> tuple[str, str | None]:
        """Return the hotwords to ask a model for, and what is wrong with those that are not used.

        Args:
            model: name of a recogniser.
            asked: a client's hotwords, in any form of `asr_contract.hotwords`; a text that cannot
                be read costs nothing but itself.

        Returns:
            the gateway's own and the client's together, "" where the model does not take them; a
            warning for the client, None if nothing is wrong.

        Raises:
            AsrError: the model cannot be asked.
        """
        words, problems = [], []
        for text in asked:
            try:
                words += parse_hotwords(text)
            except ValueError as error:  # a prompt may well begin as JSON does
                problems.append(str(error))
        hotwords = write_hotwords([*self._own, *words])
        warnings = [_unused(problem, some=bool(words)) for problem in problems]
        if not hotwords:
            return "", "; ".join(warnings) or None
        asked_s, answer = self._known.get((model, hotwords), (float("-inf"), _Answer()))
        if time.monotonic() - asked_s > _REMEMBERED_S:
            answer = await self._ask(model, hotwords)
            self._known[model, hotwords] = time.monotonic(), answer
            self._known.move_to_end((model, hotwords))
            if len(self._known) > _REMEMBERED:
                self._known.popitem(last=False)
        warnings += [answer.warning] if answer.warning else []
        return ("" if answer.refused else hotwords), "; ".join(warnings) or None

    async def _ask(self, model: str, hotwords: str) -> _Answer:
        """Ask a model what it makes of hotwords."""
        silence = np.zeros(SAMPLE_RATE // 10, np.float32)
        try:
            answer = await self._client.transcribe(
                silence, model=model, hotwords=hotwords, sample_rate=SAMPLE_RATE
            )
        except (RequestRejected, OptionError) as error:
            return _Answer(True, _unused(error.server_message or str(error)))
        told = "; ".join(answer.warnings)
        return _Answer(False, told[:_MAX_WARNING] + "…" * (len(told) > _MAX_WARNING) or None)


def all_warnings(warning: str | None, others: Sequence[str]) -> list[str]:
    """Return the warning of `HotwordCheck.usable`, and those of a transcript that it lacks."""
    if warning is None:
        return list(others)
    return [warning, *(other for other in others if other not in warning)]


def _unused(reason: str, *, some: bool = False) -> str:
    return f"{'some' if some else 'the'} hotwords are not used: {reason}"
