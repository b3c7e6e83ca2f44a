"""Streaming Paraformer on a microphone with plain tritonclient and sounddevice.

    python clients/client_demo_paraformer_streaming_microphone.py --url http://127.0.0.1:8000

Ctrl-C ends. The device must record at 16 kHz; `triton-asr mic` takes any.
"""

import argparse
import os
import secrets
import signal
import threading
from http.client import HTTPException

signal.signal(signal.SIGINT, signal.SIG_DFL)  # no traceback while imports take their time

import numpy as np
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

try:
    import sounddevice
except (ImportError, OSError) as error:  # the package, or PortAudio
    raise SystemExit(f'{error}: pip install "triton-asr[mic]", and PortAudio') from None

parser = argparse.ArgumentParser(description="Recognise what a microphone hears.")
parser.add_argument("--url", default="grpc://127.0.0.1:8001", help="grpc://… or http://…")
parser.add_argument("--device", help="part of the name of a microphone; see python -m sounddevice")
options = parser.parse_args()

scheme, _, address = options.url.partition("://")
if scheme not in ("grpc", "http"):
    parser.error(f"--url: expected grpc://… or http://…, got {options.url}")
triton = {"grpc": tritonclient.grpc, "http": tritonclient.http}[scheme]
client = triton.InferenceServerClient(address)
key = os.environ.get("TRITON_ASR_API_KEY")  # where the server wants one
headers = {"authorization": f"Bearer {key}"} if key else {}
sequence_id = secrets.randbelow(2**63 - 1) + 1  # one stream; the client chooses, not zero


def request(chunk: np.ndarray, *, start: bool = False, end: bool = False) -> str:
    """Send [samples] float32 and return the whole text so far."""
    wav = triton.InferInput("WAV", [1, chunk.size], "FP32")  # [1, samples], 0 or more
    wav.set_data_from_numpy(chunk[np.newaxis])
    wav_lens = triton.InferInput("WAV_LENS", [1, 1], "INT32")  # [1, 1], in samples
    wav_lens.set_data_from_numpy(np.array([[chunk.size]], np.int32))
    result = client.infer(
        "streaming_paraformer",
        [wav, wav_lens],
        sequence_id=sequence_id,
        sequence_start=start,
        sequence_end=end,
        headers=headers,
    )
    return result.as_numpy("TEXT")[0, 0].decode()


def stop(*_: object) -> None:
    """End after the piece under way: a request that is cut ends the stream at the server."""
    stopped.set()
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # a second Ctrl-C does not wait


nothing = np.zeros(0, np.float32)
stopped = threading.Event()
try:
    microphone = sounddevice.InputStream(16000, device=options.device, channels=1, dtype="float32")
except (sounddevice.PortAudioError, ValueError) as error:  # no such device, or none
    raise SystemExit(f"microphone: {error}") from None
try:
    signal.signal(signal.SIGINT, stop)
    request(nothing, start=True)
    with microphone:
        print("listening, Ctrl-C ends", flush=True)
        while not stopped.is_set():
            frames, _ = microphone.read(9600)  # 600 ms, [samples, channels]
            print(f"\r{request(frames[:, 0])}", end="", flush=True)
    print(f"\r{request(nothing, end=True)}")
except (InferenceServerException, HTTPException, OSError) as error:  # of the server
    raise SystemExit(f"{options.url}: {error}") from None
