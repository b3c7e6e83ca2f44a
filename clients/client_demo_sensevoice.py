"""One SenseVoice request with plain tritonclient, so that its tensors can be seen.

    python clients/client_demo_sensevoice.py --url http://127.0.0.1:8000 FILE…

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

LANGUAGES = {"auto": 0, "zh": 3, "en": 4, "yue": 7, "ja": 11, "ko": 12, "nospeech": 13}
WITH_ITN, WITHOUT_ITN = 14, 15

parser = argparse.ArgumentParser(description="Recognise files with SenseVoice.")
parser.add_argument("files", nargs="+", metavar="FILE")
parser.add_argument("--url", default="grpc://127.0.0.1:8001", help="grpc://… or http://…")
parser.add_argument("--language", default="auto", choices=LANGUAGES)
parser.add_argument("--no-itn", action="store_true", help="no punctuation, numbers as spoken")
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
        tensors = {
            "WAV": waveform[np.newaxis],  # FP32 [rows, samples]
            "WAV_LENS": np.array([[waveform.size]], np.int32),  # [rows, 1], in samples
            "LANGUAGE": np.array([[LANGUAGES[options.language]]], np.int32),
            "TEXT_NORM": np.array([[WITHOUT_ITN if options.no_itn else WITH_ITN]], np.int32),
        }
        inputs = []
        for name, array in tensors.items():
            dtype = "FP32" if array.dtype == np.float32 else "INT32"
            inputs.append(triton.InferInput(name, list(array.shape), dtype))
            inputs[-1].set_data_from_numpy(array)
        outputs = [triton.InferRequestedOutput("TRANSCRIPTS")]  # the text with its tags
        result = client.infer("sensevoice", inputs, outputs=outputs, headers=headers)
        print(f"{file}\t{result.as_numpy('TRANSCRIPTS').item().decode()}")
except (InferenceServerException, HTTPException, OSError) as error:  # of the server
    raise SystemExit(f"{options.url}: {error}") from None
except soundfile.LibsndfileError as error:
    raise SystemExit(str(error)) from None
