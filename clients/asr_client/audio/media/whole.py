"""Decodes a file at once, for recordings of up to an hour."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import numpy as np

from ..conversion import Channels
from ..raw import RawFormat
from ..waveform import Waveform
from .decoder import MediaDecoder
from .source import MediaSource

MAX_WHOLE_S = 3600.0  # 230 MB; nothing longer should be held in one array


async def decode_whole_async(
    source: MediaSource, *, channels: Channels, raw: RawFormat | None
) -> tuple[Waveform, list[str]]:
    """Decode a file at once to [samples] float32, 16 kHz, and what is to be said of it.

    Raises:
        AsrError: as `MediaDecoder`.
    """
    async with MediaDecoder(
        source, channels=channels, raw=raw, max_duration_s=MAX_WHOLE_S
    ) as media:
        return np.concatenate([block async for block in media]), media.warnings


def decode_whole(
    source: MediaSource, *, channels: Channels, raw: RawFormat | None
) -> tuple[Waveform, list[str]]:
    """Decode a file at once; as `decode_whole_async`."""
    whole = partial(decode_whole_async, source, channels=channels, raw=raw)
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(whole())
    # Called from inside a loop, as in a notebook: that loop stands still anyway.
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(whole())).result()
