"""Which of a client's hotwords the recogniser is asked to expect.

FunASR's clients send hotwords to every server. A model that takes none refuses them, and a word
that its vocabulary cannot write refuses all; neither may cost a client its transcript.
"""

from __future__ import annotations

import json

import numpy as np

from asr_client import AsyncClient, OptionError, RequestRejected
from asr_client.audio import SAMPLE_RATE


def join_hotwords(*texts: str) -> str:
    """Join hotwords in any of the forms that the server reads.

    Raises:
        ValueError: one begins like JSON and is none.
    """
    given = [text.strip() for text in texts if text.strip()]
    if len(given) < 2:
        return given[0] if given else ""
    return json.dumps([word for text in given for word in _words(text)], ensure_ascii=False)


def _words(text: str) -> list[str]:
    """Return words without their weights, which have no effect."""
    if text[:1] in ("{", "["):
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


async def usable_hotwords(client: AsyncClient, model: str, hotwords: str) -> tuple[str, str | None]:
    """Ask the model whether it takes these hotwords.

    Returns:
        The hotwords, or "" and what is wrong with them.

    Raises:
        AsrError: the model cannot be asked.
    """
    if not hotwords:
        return "", None
    silence = np.zeros(SAMPLE_RATE // 10, np.float32)
    try:
        await client.transcribe(silence, model=model, hotwords=hotwords, sample_rate=SAMPLE_RATE)
    except (RequestRejected, OptionError) as error:
        return "", f"the hotwords are not used: {getattr(error, 'server_message', None) or error}"
    return hotwords, None
