"""Names the speaker of each sentence of a live utterance."""

from __future__ import annotations

import asyncio

from asr_client import AsyncClient, FileOptions, SpeakerTurn
from asr_client.diarisation import LiveSpeakers, enrol

from ..live import Spoken


class UtteranceVoices:
    """Names each sentence as it is reported, and tells at the end who spoke when.

    Args:
        client: of the Triton server.
        options: with `speakers`, and who is known.
    """

    def __init__(self, client: AsyncClient, options: FileOptions) -> None:
        self._client = client
        self._options = options
        self._speakers = LiveSpeakers(options.speakers or "auto")

    async def begin(self) -> None:
        """Learn the known voices.

        Raises:
            AsrError: of `asr_client.errors`.
        """
        client, known = self._client, self._options.known
        if known is not None:
            voices = await enrol(client.transport, client.url, known, client.timeout_s)
            self._speakers = LiveSpeakers(self._options.speakers or "auto", voices)

    async def named(self, spoken: Spoken) -> dict[str, str | float]:
        """Return the fields of a sentence's reply that say whose it is; none if it is too short."""
        if spoken.voices is None:
            return {}
        name, score = await asyncio.to_thread(
            self._speakers.name, spoken.sentence.start_ms, spoken.voices
        )
        return {"spk_name": name, "spk_score": round(score, 3)}

    async def turns(self) -> list[SpeakerTurn]:
        """Return who spoke when, corrected by all that was heard."""
        return await asyncio.to_thread(self._speakers.turns)
