"""requests 2.21: a file with a Chinese name."""

import sys

import requests

url, file = sys.argv[1:]
with open(file, "rb") as audio:
    answer = requests.post(
        f"{url}/v1/audio/transcriptions",
        files={"file": ("录音.wav", audio)},
        data={"model": "whisper-1"},
    )
print(answer.json()["text"])
