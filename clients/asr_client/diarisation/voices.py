"""Requests to the model `speaker`.

WAV FP32 [n, samples] and WAV_LENS INT32 [n, 1] are answered by EMBEDDING FP32 [n, D].
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from asr_contract import SPEAKER_MODEL
from asr_contract.tensors import EMBEDDING

from ..audio.waveform import Waveform
from ..errors import ProtocolError
from ..protocol import InferRequest, audio_inputs
from ..transport import Transport
from .vectors import of_length_one
from .windows import Window

MAX_ROWS = 32  # of a request; the model takes 64


async def embed_windows(
    transport: Transport, windows: Sequence[Window], timeout_s: float
) -> NDArray[np.float32]:
    """Ask the server whose voices windows hold, one at least; float32 [n, D], of length one each.

    Raises:
        AsrError: of `errors`.
    """
    found = []
    for first in range(0, len(windows), MAX_ROWS):
        rows = [window.waveform for window in windows[first : first + MAX_ROWS]]
        found.append(parse_voices(await transport.infer(voice_request(rows), timeout_s), len(rows)))
    return np.concatenate(found)


def voice_request(waveforms: Sequence[Waveform]) -> InferRequest:
    """Ask whose voices recordings hold, [samples] float32 at 16 kHz each."""
    return InferRequest(SPEAKER_MODEL, audio_inputs(waveforms))


def parse_voices(outputs: Mapping[str, NDArray[Any]], count: int) -> NDArray[np.float32]:
    """Return the embeddings of so many recordings, float32 [count, D], each of length one.

    Raises:
        ProtocolError: the answer has another form.
    """
    found = outputs.get(EMBEDDING)
    if found is None or found.ndim != 2 or len(found) != count or not np.isfinite(found).all():
        shape = None if found is None else list(found.shape)
        raise ProtocolError(
            f"model {SPEAKER_MODEL!r}: expected finite {EMBEDDING} [{count}, D]; got {shape}"
        )
    return of_length_one(found)
