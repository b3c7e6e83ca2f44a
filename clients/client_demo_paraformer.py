"""One Paraformer request with plain tritonclient, so that its tensors can be seen.

    python clients/client_demo_paraformer.py --url http://127.0.0.1:8000 FILE…

Files must be 16 kHz mono; the SDK (`asr_client`) takes any.
"""

import argparse
import os
import signal
from http.client import HTTPException

signal.signal(signal.SIGINT, signal.SIG_DFL)  # Ctrl-C: an end without a traceback

import numpy as np
import soundfile
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException

parser = argparse.ArgumentParser(description="Recognise files with Paraformer.")
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

try:
    for file in options.files:
        waveform, sample_rate = soundfile.read(file, dtype="float32")  # in [-1, 1]
        if sample_rate != 16000 or waveform.ndim != 1:
            raise SystemExit(f"{file}: expected 16 kHz mono; got {sample_rate} Hz {waveform.shape}")
        wav = triton.InferInput("WAV", [1, waveform.size], "FP32")  # [rows, samples]
        wav.set_data_from_numpy(waveform[np.newaxis])
        wav_lens = triton.InferInput("WAV_LENS", [1, 1], "INT32")  # [rows, 1], in samples
        wav_lens.set_data_from_numpy(np.array([[waveform.size]], np.int32))
        result = client.infer("infer_pipeline", [wav, wav_lens], headers=headers)
        text = result.as_numpy("TRANSCRIPTS").item().decode()  # [rows]
        times = result.as_numpy("TIMESTAMPS")[0].tolist()  # [start, end] in ms of each token
        print(f"{file}\t{text}\t{times}")
except (InferenceServerException, HTTPException, OSError) as error:  # of the server
    raise SystemExit(f"{options.url}: {error}") from None
except soundfile.LibsndfileError as error:
    raise SystemExit(str(error)) from None
