"""Streaming Paraformer with plain tritonclient, so that the requests of a sequence can be seen.

    python clients/client_demo_paraformer_streaming.py --url http://127.0.0.1:8000 FILE…

Files must be 16 kHz mono; the SDK (`asr_client`) takes any, and several requests at a time.
"""

import argparse
import os
import secrets
import signal
from http.client import HTTPException

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C: an end without a traceback

import numpy as np
import soundfile
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

parser = argparse.ArgumentParser(description="Recognise files with streaming Paraformer.")
parser.add_argument("files", nargs="+", metavar="FILE")
parser.add_argument("--url", default="grpc://127.0.0.1:8001", help="grpc://… or http://…")
options = parser.parse_args()

scheme, _, address = options.url.partition("://")
if scheme not in ("grpc", "http"):
    parser.error(f"--url: expected grpc://… or http://…, got {options.url}")
triton = {"grpc": tritonclient.grpc, "http": tritonclient.http}[scheme]
client = triton.InferenceServerClient(address)
key = os.environ.get("TRITON_ASR_API_KEY")  # where the server wants one
headers = {"authorization": f"Bearer {key}"} if key else {}
CHUNK = 9600  # samples, 600 ms; the server takes pieces of any size

try:
    for file in options.files:
        waveform, sample_rate = soundfile.read(file, dtype="float32")  # in [-1, 1]
        if sample_rate != 16000 or waveform.ndim != 1:
            raise SystemExit(f"{file}: expected 16 kHz mono; got {sample_rate} Hz {waveform.shape}")
        print(f"{file}\t", end="")
        sequence_id = secrets.randbelow(2**63 - 1) + 1  # one stream; the client chooses, not zero
        for first in range(0, max(waveform.size, 1), CHUNK):
            chunk = waveform[first : first + CHUNK]
            wav = triton.InferInput("WAV", [1, chunk.size], "FP32")  # [1, samples], 0 or more
            wav.set_data_from_numpy(chunk[np.newaxis])
            wav_lens = triton.InferInput("WAV_LENS", [1, 1], "INT32")  # [1, 1], in samples
            wav_lens.set_data_from_numpy(np.array([[chunk.size]], np.int32))
            result = client.infer(
                "streaming_paraformer",
                [wav, wav_lens],
                sequence_id=sequence_id,
                sequence_start=first == 0,
                sequence_end=first + CHUNK >= waveform.size,
                headers=headers,
            )
            # What this chunk made final; "TEXT" is the whole text, with what may still change.
            print(result.as_numpy("TRANSCRIPTS").item().decode(), end="", flush=True)
        print()
except (InferenceServerException, HTTPException, OSError) as error:  # of the server
    raise SystemExit(f"{options.url}: {error}") from None
except soundfile.LibsndfileError as error:
    raise SystemExit(str(error)) from None
