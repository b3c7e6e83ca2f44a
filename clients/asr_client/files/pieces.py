"""Audio of a file in pieces that are worth a request to the VAD."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import aclosing

import numpy as np

from asr_contract import SAMPLE_RATE

from ..audio.media import MediaDecoder
from ..audio.waveform import Waveform

# Audio in one request to the VAD: its answer is awaited before the next is sent.
PIECE_SAMPLES = 5 * SAMPLE_RATE


async def pieces_of(media: MediaDecoder) -> AsyncGenerator[tuple[Waveform, bool], None]:
    """Yield [samples] float32 of about `PIECE_SAMPLES`, and whether they are the last.

    A piece is held back until another block has come, for only then it is known not to be the
    last.
    """
    blocks: list[Waveform] = []
    async with aclosing(aiter(media)) as stream:
        async for block in stream:
            if sum(map(len, blocks)) >= PIECE_SAMPLES:
                yield np.concatenate(blocks), False
                blocks.clear()
            blocks.append(block)
    if blocks:
        yield np.concatenate(blocks), True
