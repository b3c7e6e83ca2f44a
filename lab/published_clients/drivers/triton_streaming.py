"""FunASR's triton_gpu/client/speech_client.py: a stream, whose pieces it prints.

Its `client.py` offers no model of that name to choose, neither FunASR's own.
"""

import argparse
import contextlib
import io
import sys

checkout, url, file = sys.argv[1:]
sys.path.insert(0, f"{checkout}/runtime/triton_gpu/client")
import tritonclient.grpc as grpcclient  # noqa: E402
from speech_client import StreamingSpeechClient  # noqa: E402

args = argparse.Namespace(
    chunk_size=16, subsampling=4, context=7, frame_shift_ms=10, frame_length_ms=25
)
printed = io.StringIO()
with grpcclient.InferenceServerClient(url=url) as client, contextlib.redirect_stdout(printed):
    StreamingSpeechClient(client, "streaming_paraformer", grpcclient, args).recognize(file)
print("".join(line.rpartition(": ")[2] for line in printed.getvalue().splitlines()))
