"""FunASR's funasr_client_api.py: feeds a file as its example does, and takes the last message."""

import importlib.util
import sys
import time
import wave

checkout, host, port, mode, file = sys.argv[1:]
path = f"{checkout}/runtime/python/websocket/funasr_client_api.py"
module = importlib.util.module_from_spec(importlib.util.spec_from_file_location("api", path))
module.__spec__.loader.exec_module(module)

with wave.open(file) as audio:
    data = audio.readframes(audio.getnframes())
module.audio_bytes = data  # which the class reads as a global
recogniser = module.Funasr_websocket_recognizer(
    host=host, port=port, is_ssl=False, mode=mode, chunk_size="0,10,5"
)
texts = []
for first in range(0, len(data), 1920):
    message = recogniser.feed_chunk(data[first : first + 1920], wait_time=0.02)
    if message and message["mode"] != "2pass-online":
        texts.append(message["text"])
    time.sleep(0.05)
last = recogniser.close(timeout=8)
print(mode, "".join(texts) + last["text"])
print(mode, "last message:", last["text"])
