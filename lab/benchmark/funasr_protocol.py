"""FunASR's websocket protocol in mode "offline", as a client: its Python server and our gateway.

Source: FunASR `runtime/docs/websocket_protocol.md`, `runtime/python/websocket`.
"""

from __future__ import annotations

import json

import numpy as np
from websockets.sync.client import connect
from websockets.typing import Subprotocol

from asr_contract import SAMPLE_RATE
from lab.benchmark.workload import Recording

SUBPROTOCOLS = (Subprotocol("binary"),)  # without it, FunASR's server refuses a client
ANSWER_TIMEOUT_S = 300.0

# A chunk is 10 x 60 ms, and `chunk_interval` cuts it up for the VAD: 1 leaves it whole, FunASR's
# own client says 10.
_BEGIN = {
    "mode": "offline",
    "chunk_size": [5, 10, 5],
    "chunk_interval": 1,
    "audio_fs": SAMPLE_RATE,
    "wav_name": "benchmark",
    "wav_format": "pcm",
    "is_speaking": True,
    "itn": True,
}
_END = {"is_speaking": False, "is_end": True}


class NotRecognisedError(RuntimeError):
    """The server answered that it failed, or not at all."""


def recognise(url: str, recording: Recording) -> str:
    """Have one recording recognised, over a connection of its own, and return its text.

    The audio goes in one message: in smaller ones, FunASR's server runs its VAD on each, which
    takes it longer, and recognises the pieces between pauses.

    Args:
        url: of the websocket.
        recording: at 16 kHz.

    Raises:
        NotRecognisedError: the server said so, or did not acknowledge the end of the audio.
    """
    # Compression would take the client's time and the server's; keep-alive answers may be late.
    with connect(
        url, subprotocols=SUBPROTOCOLS, proxy=None, compression=None, ping_interval=None
    ) as socket:
        socket.send(json.dumps(_BEGIN))
        socket.send(pcm(recording))
        socket.send(json.dumps(_END))
        texts: list[str] = []
        while True:
            try:
                reply = json.loads(socket.recv(ANSWER_TIMEOUT_S))
            except TimeoutError:
                raise NotRecognisedError(
                    f"{url}: expected `is_end` within {ANSWER_TIMEOUT_S:g} s, which FunASR's "
                    f"server sends since July 2026; got the texts {texts}"
                ) from None
            if reply.get("error"):
                raise NotRecognisedError(f"{url}: {reply['error']}")
            texts.append(reply.get("text", ""))
            if reply.get("is_end"):
                return "".join(texts)


def pcm(recording: Recording) -> bytes:
    """Return 16-bit little-endian samples."""
    scaled: Recording = np.rint(recording * 32768).clip(-32768, 32767)
    return scaled.astype("<i2").tobytes()
